"""The planner network in PyTorch: the same equations and parameters as src/policy/planner.

Parameters keep PyTorch's own layout (a linear layer's weight is [outputs, inputs]); `norms` gives the gradients by the names
of the TypeScript side. All texts of a batch are equally long here, so that nothing needs masking or packing.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn


def linear(weight, bias=None):
    """A linear layer from a weight of [inputs, outputs]."""
    layer = nn.Linear(weight.shape[0], weight.shape[1], bias=bias is not None)
    with torch.no_grad():
        layer.weight.copy_(weight.t())
        if bias is not None:
            layer.bias.copy_(bias)
    return layer


class Bag(nn.Module):
    """Mean of the token embeddings."""

    def __init__(self, given, spec):
        super().__init__()
        self.embedding = nn.Parameter(given["text.embedding"].clone())
        self.names = {"text.embedding": [self.embedding]}

    def forward(self, batch):
        pooled = F.embedding_bag(batch["tokens"], self.embedding, mode="mean")
        return pooled, F.embedding(batch["atToken"], self.embedding)


class Gru(nn.Module):
    """One layer, both directions, both texts' ends aligned because all are equally long."""

    def __init__(self, given, spec):
        super().__init__()
        half = spec["text"]["width"] // 2
        self.embedding = nn.Parameter(given["text.embedding"].clone())
        self.gru = nn.GRU(spec["text"]["embed"], half, bidirectional=True)
        self.names = {"text.embedding": [self.embedding]}
        self.names["text.gru.input.weight"] = [self.gru.weight_ih_l0, self.gru.weight_ih_l0_reverse]
        self.names["text.gru.input.bias"] = [self.gru.bias_ih_l0, self.gru.bias_ih_l0_reverse]
        for direction, end in (("forward", "l0"), ("backward", "l0_reverse")):
            self.names[f"text.gru.{direction}.weight"] = [getattr(self.gru, f"weight_hh_{end}")]
            self.names[f"text.gru.{direction}.bias"] = [getattr(self.gru, f"bias_hh_{end}")]
        with torch.no_grad():
            for name, parts in self.names.items():
                if name != "text.embedding":
                    for part, values in zip(parts, given[name].t().split(3 * half, 0) if given[name].dim() == 2 else given[name].split(3 * half)):
                        part.copy_(values)

    def forward(self, batch):
        # Time first: what the layer computes on, so that no transposed copies are made.
        states, _ = self.gru(F.embedding(batch["tokensByTime"], self.embedding))
        return states.mean(0), states.flatten(0, 1).index_select(0, batch["atRowByTime"])


class Layer(nn.Module):
    """Pre-norm attention and feed-forward."""

    def __init__(self, given, name, heads):
        super().__init__()
        self.heads = heads
        width = given[f"{name}.out.weight"].shape[0]
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.names = {}
        with torch.no_grad():
            for norm in ("norm1", "norm2"):
                module = getattr(self, norm)
                module.weight.copy_(given[f"{name}.{norm}.gain"])
                module.bias.copy_(given[f"{name}.{norm}.bias"])
                self.names[f"{name}.{norm}.gain"] = [module.weight]
                self.names[f"{name}.{norm}.bias"] = [module.bias]
        for part in ("qkv", "out", "feed1", "feed2"):
            module = linear(given[f"{name}.{part}.weight"], given[f"{name}.{part}.bias"])
            setattr(self, part, module)
            self.names[f"{name}.{part}.weight"] = [module.weight]
            self.names[f"{name}.{part}.bias"] = [module.bias]

    def attention(self, x):
        texts, length, width = x.shape
        q, k, v = self.qkv(x).view(texts, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        if hasattr(F, "scaled_dot_product_attention"):
            mixed = F.scaled_dot_product_attention(q, k, v)
        else:
            mixed = torch.softmax(torch.matmul(q * (1 / math.sqrt(width // self.heads)), k.transpose(-2, -1)), -1) @ v
        return self.out(mixed.transpose(1, 2).reshape(texts, length, width))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.feed2(F.relu(self.feed1(self.norm2(x))))


class Transformer(nn.Module):
    def __init__(self, given, spec, heads):
        super().__init__()
        self.embedding = nn.Parameter(given["text.embedding"].clone())
        self.position = nn.Parameter(given["text.position"].clone())
        self.input = linear(given["text.input.weight"], given["text.input.bias"])
        self.layers = nn.ModuleList(Layer(given, f"text.layer{i}", heads) for i in range(spec["text"]["layers"]))
        self.norm = nn.LayerNorm(spec["text"]["width"])
        with torch.no_grad():
            self.norm.weight.copy_(given["text.norm.gain"])
            self.norm.bias.copy_(given["text.norm.bias"])
        self.names = {
            "text.embedding": [self.embedding],
            "text.position": [self.position],
            "text.input.weight": [self.input.weight],
            "text.input.bias": [self.input.bias],
            "text.norm.gain": [self.norm.weight],
            "text.norm.bias": [self.norm.bias],
        }
        for layer in self.layers:
            self.names.update(layer.names)

    def forward(self, batch):
        tokens = batch["tokens"]
        x = self.input(F.embedding(tokens, self.embedding)) + self.position[: tokens.shape[1]]
        for layer in self.layers:
            x = layer(x)
        x = self.norm(x)
        return x.mean(1), x.flatten(0, 1).index_select(0, batch["atRow"])


class Planner(nn.Module):
    """Scores of all open actions; see src/policy/planner/network.ts for the equations."""

    def __init__(self, given, spec, heads):
        super().__init__()
        self.spec = spec
        encoder = spec["text"]["encoder"]
        self.encoder = {"bag": Bag, "gru": Gru}[encoder](given, spec) if encoder != "transformer" else Transformer(given, spec, heads)
        self.names = dict(self.encoder.names)
        self.dense = nn.ModuleDict()
        for name in given:
            layer, _, kind = name.rpartition(".")
            if kind == "weight" and not layer.startswith("text."):
                module = linear(given[name], given.get(f"{layer}.bias"))
                self.dense[layer.replace(".", "_")] = module
                self.names[name] = [module.weight]
                if module.bias is not None:
                    self.names[f"{layer}.bias"] = [module.bias]

    def apply_dense(self, name, x):
        return self.dense[name](x)

    def forward(self, batch):
        pooled, at = self.encoder(batch)
        # Text 0 is the empty one, whose vector is zero.
        pooled = F.pad(pooled, (0, 0, 1, 0))
        # Nothing stands anywhere when the observations have no text of their own.
        at = at * batch["stands"] if batch["anyStands"] else at.new_zeros(batch["stands"].shape[0], pooled.shape[1])
        own = pooled.index_select(0, batch["itemText"])
        items = torch.tanh(self.apply_dense("item", torch.cat([own, at, batch["itemFlags"]], 1)))
        observations = batch["state"].shape[0]
        mean = self.mean_of_items(items, observations, batch)
        text = pooled.index_select(0, batch["observationText"])
        context = torch.tanh(self.apply_dense("context", torch.cat([text, mean, batch["state"]], 1)))
        scores = []
        for arity in range(3):
            if batch[f"tuples{arity}"].shape[0] == 0:
                continue
            total = self.apply_dense(f"arity{arity}_context", context).index_select(0, batch[f"tuples{arity}"])
            for j in range(arity):
                total = total + self.apply_dense(f"arity{arity}_item{j}", items).index_select(0, batch[f"tuples{arity} {j}"])
            scores.append(self.apply_dense(f"arity{arity}_tools", torch.tanh(total)).flatten())
        result = torch.cat(scores).index_select(0, batch["actionScore"])
        if self.spec["features"]["action"] == 0:
            return result
        rows = batch["rows"]
        hidden = torch.tanh(self.apply_dense("action_hidden2", torch.tanh(self.apply_dense("action_hidden1", rows))))
        by_tool = self.apply_dense("action_tools", hidden) + self.apply_dense("action_linear", rows)
        return result + by_tool.flatten().index_select(0, batch["actionFeature"])

    def mean_of_items(self, items, observations, batch):
        # As many items in every observation, in order: a view does what a segment sum would.
        return items.view(observations, -1, items.shape[1]).mean(1)

    def norms(self):
        """Euclidean norm of each parameter's gradient, by the TypeScript side's names."""
        found = {}
        for name, parts in self.names.items():
            gradients = [part.grad for part in parts if part.grad is not None]
            found[name] = math.sqrt(sum(float(gradient.double().square().sum()) for gradient in gradients))
        return found


def grpo_loss(scores, batch, actions, algorithm):
    """The clipped surrogate minus the entropy bonus, as a weighted mean over decisions (src/policy/learner/loss.ts)."""
    log_probs = F.log_softmax(scores.view(-1, actions) / batch["temperature"], 1)
    entropy = -(log_probs.exp() * log_probs).sum(1)
    weight, advantage = batch["weight"], batch["advantage"]
    chosen = log_probs.flatten().index_select(0, batch["decision"])
    ratio = torch.exp(chosen - batch["oldLogProb"])
    bounded = ratio.clamp(1 - algorithm["clipLow"], 1 + algorithm["clipHigh"])
    surrogate = -torch.minimum(ratio * advantage, bounded * advantage)
    bonus = algorithm["entropy"] * entropy.index_select(0, batch["decisionObservation"])
    return torch.dot(weight, surrogate - bonus) / batch["totalWeight"]
