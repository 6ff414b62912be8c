"""Explanations on a graphics processor: parity, speed and memory, in steps that can be interrupted.

usage: scripts/gpu.sh [--out build/gpu] [--seconds 480] [--networks resnet50 ...] [--page FILE]

Each step runs in a process of its own and writes one JSON file; a step that is finished is not run again, so
the same command goes on where another one was stopped, by its time or by anything else. The page holds what
was measured so far. With --device cpu everything runs on the processor, which tests these files and measures
nothing of interest.
"""
