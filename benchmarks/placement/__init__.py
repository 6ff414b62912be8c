"""Where ONNX Runtime's CUDA provider puts the nodes of explanation graphs; needs no graphics processor.

usage: scripts/placement.sh [--networks resnet18 ...]

onnxruntime-gpu itself assigns the nodes, with a driver that answers and computes nothing. So the page says
what would run on the device and what on the processor, not how fast or how exactly. Rows of other networks in
the file are kept. Writes placement.json and placement.md.
"""
