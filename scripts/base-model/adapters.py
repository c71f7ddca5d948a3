"""Makes the adapters that the tests of src/base-model open, and what peft and torch say about them.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch==2.7.1 transformers peft
    /tmp/venv/bin/python scripts/base-model/adapters.py src/base-model/fixtures src/base-model/adapter/fixtures

The first folder has the models (fixtures.py). Written are, for each of the models below, a folder as peft saves it with random numbers, and
`expected.json`: logits with the adapter, log-probabilities and entropies of tokens that continue prompts, and the gradient of a weighted sum of
both, for the adapter and for all weights of the model without it.
"""

import json
import math
import shutil
import sys
from pathlib import Path

import peft
import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

PROMPT = [40, 41, 42, 77, 5, 120, 33]
TEMPERATURE = 0.7
# Continuations of a prompt, with weights of their log-probabilities and entropies; the last two share their prompt and what both begin with.
SEQUENCES = [{"prompt": PROMPT, "tokens": [9, 250, 31]}, {"prompt": PROMPT, "tokens": [9, 250, 17, 60, 2]}, {"prompt": PROMPT[:3], "tokens": [88]}]
# name: rank, alpha, products.
ADAPTERS = {
    "llama-tied": (3, 8, ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]),
    "llama3-scaled": (4, 4, ["q_proj", "v_proj"]),
    "qwen2": (2, 16, ["q_proj", "k_proj", "v_proj", "o_proj"]),
    "qwen3": (1, 2, ["gate_proj", "down_proj", "k_proj"]),
}


def open_model(models, name):
    return AutoModelForCausalLM.from_pretrained(models / name, dtype=torch.float32, attn_implementation="eager").eval()


def weights(count, phase):
    return [round(math.cos(1.3 * index + phase), 6) for index in range(count)]


def rounded(values):
    return [float(f"{value:.8g}") for value in values]


def learned(model):
    """Log-probabilities and entropies at the temperature, and the loss's gradients are left in the parameters."""
    loss, sequences, seen = 0, [], 0
    for sequence in SEQUENCES:
        prompt, tokens = sequence["prompt"], sequence["tokens"]
        logits = model(torch.tensor([prompt + tokens])).logits[0, len(prompt) - 1:-1] / TEMPERATURE
        logs = torch.log_softmax(logits, -1)
        chosen = logs[range(len(tokens)), tokens]
        entropies = -(logs.exp() * logs).sum(-1)
        by_log, by_entropy = weights(len(tokens), seen), weights(len(tokens), seen + 0.5)
        seen += len(tokens)
        loss = loss + (torch.tensor(by_log) * chosen).sum() + (torch.tensor(by_entropy) * entropies).sum()
        sequences.append({**sequence, "byLogProb": by_log, "byEntropy": by_entropy, "logProbs": rounded(chosen.tolist()),
                          "entropies": rounded(entropies.tolist())})
    loss.backward()
    return sequences


def summary(gradient):
    """Norm, and sum with weights that see every number."""
    flat = gradient.flatten().double()
    return rounded([flat.norm().item(), sum(value * math.sin(0.37 * index + 1) for index, value in enumerate(flat.tolist()))])


def make(models, folder, name):
    rank, alpha, targets = ADAPTERS[name]
    torch.manual_seed(50 + list(ADAPTERS).index(name))
    model = get_peft_model(open_model(models, name), LoraConfig(task_type="CAUSAL_LM", r=rank, lora_alpha=alpha, target_modules=targets))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "lora_" in key:
                parameter.copy_(torch.randn(parameter.shape) * 0.2)
    model.save_pretrained(folder / name)
    (folder / name / "README.md").unlink(missing_ok=True)
    with torch.no_grad():
        logits = model(torch.tensor([PROMPT])).logits[0]
    rows = [rounded([*row[:8].tolist(), *row[-8:].tolist(), torch.logsumexp(row, 0).item()]) for row in logits]
    sequences = learned(model)
    gradients = {key.removeprefix("base_model.model.").replace(".default", ""): summary(parameter.grad)
                 for key, parameter in model.named_parameters() if "lora_" in key}
    plain = open_model(models, name)
    all_sequences = learned(plain)
    all_gradients = {key: summary(parameter.grad) for key, parameter in plain.named_parameters()}
    return {"rank": rank, "alpha": alpha, "prompt": PROMPT, "logits": rows, "temperature": TEMPERATURE,
            "adapter": {"sequences": sequences, "gradients": gradients}, "all": {"sequences": all_sequences, "gradients": all_gradients}}


def main():
    models, folder = Path(sys.argv[1]), Path(sys.argv[2])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    expected = {name: make(models, folder, name) for name in ADAPTERS}
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "peft": peft.__version__}
    (folder / "expected.json").write_text(json.dumps({"versions": versions, "models": expected}, indent=1) + "\n")


main()
