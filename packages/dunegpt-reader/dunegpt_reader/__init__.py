"""The weights of DUNE-GPT's reader: ``model.onnx`` and ``tokenizer.json`` lie here.

`dunegpt.serve.answer.reader` loads them from this folder.
"""
