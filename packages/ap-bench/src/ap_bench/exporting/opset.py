"""Which of ONNX's operators files use where nothing else is asked for."""

OPSET = 20
