"""Prints what peft and transformers say about token ids, with an exported adapter or with an exported model.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch==2.7.1 transformers peft
    /tmp/venv/bin/python scripts/base-model/exported.py 6,8,7 BASE ADAPTER
    /tmp/venv/bin/python scripts/base-model/exported.py 6,8,7 MODEL

A JSON list: for each token after the first its log-probability after those before it.
"""

import json
import sys

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

tokens = [int(token) for token in sys.argv[1].split(",")]
model = AutoModelForCausalLM.from_pretrained(sys.argv[2], torch_dtype=torch.float32)
if len(sys.argv) > 3:
    model = PeftModel.from_pretrained(model, sys.argv[3])
with torch.no_grad():
    logits = model(torch.tensor([tokens])).logits[0, :-1]
logs = torch.log_softmax(logits.double(), dim=-1)
print(json.dumps([logs[place, token].item() for place, token in enumerate(tokens[1:])]))
