"""The reverse pass: J^T v through a Program, operation by operation, without autograd's engine."""
