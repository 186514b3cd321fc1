"""The operators that models are written in, and what each becomes in a trace.

Frontends that read graphs (ONNX, torch) say what they find as `node.Node` records in ONNX's
vocabulary, with every shape known; everything behind that is shared, so that one model gives one
trace whichever way it comes in.
"""
