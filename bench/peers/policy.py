"""The planner network of examples/retail in PyTorch, as grpo.py trains it, and what it decided in a round."""

import torch
import torch.nn.functional as F


class Planner(torch.nn.Module):
    """The planner network of src/policy/planner/network.ts with a bag of words as encoder; nothing is padded but the softmax."""

    def __init__(self, spec, parameters):
        super().__init__()
        self.spec = spec
        self.arities = [k for k in range(3) if f"arity{k}.tools.weight" in parameters]
        for name, values in parameters.items():
            self.register_parameter(name.replace(".", "_"), torch.nn.Parameter(values.clone()))

    def dense(self, name, x):
        weight, bias = getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias", None)
        return x @ weight if bias is None else torch.addmm(bias, x, weight)

    def encode(self, texts):
        """A vector for each text: the mean of its tokens' embeddings, zeros for an empty one."""
        return F.embedding_bag(texts.tokens, self.text_embedding, texts.offsets, mode="mean")

    def log_probabilities(self, b, pooled):
        """[observations, most actions]; -inf where an observation has fewer."""
        features = self.spec["features"]
        observations, items = len(b["actionStart"]) - 1, len(b["itemText"])
        flags = b["itemFlags"].view(items, features["item"])
        own = pooled.index_select(0, b["itemText"])
        # No item of this flow stands in a text of its observation: that part of the layer's input is zero.
        vectors = torch.tanh(self.dense("item", torch.cat([own, torch.zeros_like(own), flags], 1)))
        mean = vectors.new_zeros(observations, vectors.shape[1]).index_add(0, b["itemObservation"], vectors)
        mean = mean * b["itemShare"].unsqueeze(1)
        state = b["state"].view(observations, features["state"])
        whole = pooled.index_select(0, b["observationText"])
        context = torch.tanh(self.dense("context", torch.cat([whole, mean, state], 1)))
        scores = []
        for k in self.arities:
            total = self.dense(f"arity{k}_context", context).index_select(0, b[f"tuples{k}"])
            for j in range(k):
                total = total + self.dense(f"arity{k}_item{j}", vectors).index_select(0, b[f"tuples{k}item{j}"])
            scores.append(self.dense(f"arity{k}_tools", torch.tanh(total)).reshape(-1))
        flat = torch.cat(scores).index_select(0, b["actionScore"])
        open_actions = b["actionStart"].diff()
        mask = torch.arange(int(open_actions.max())) < open_actions.unsqueeze(1)
        padded = flat.new_full(mask.shape, -torch.inf).masked_scatter(mask, flat)
        return torch.log_softmax(padded, 1)


class Texts:
    """The texts of a round; number 0 is the empty one."""

    def __init__(self):
        self.tokens = torch.zeros(0, dtype=torch.int32)
        self.offsets = torch.zeros(1, dtype=torch.int32)

    def take(self, answer):
        """Takes new texts up and returns them."""
        lengths = answer["newTextLengths"]
        fresh = Texts()
        fresh.tokens, fresh.offsets = answer["newTokens"], (lengths.cumsum(0) - lengths).int()
        self.offsets = torch.cat([self.offsets, fresh.offsets + len(self.tokens)])
        self.tokens = torch.cat([self.tokens, fresh.tokens])
        return fresh


class Decided:
    """Log-probabilities of the distinct observations of a round, for weights that stay the same through it."""

    def __init__(self, planner):
        self.planner = planner
        self.texts = Texts()
        self.pooled = planner.encode(self.texts)
        self.rows = torch.empty(0, 0)

    def take(self, answer):
        """Computes what is new and returns the log-probabilities of every flow that waits."""
        if len(answer["newTextLengths"]) > 0:
            self.pooled = torch.cat([self.pooled, self.planner.encode(self.texts.take(answer))])
        if len(answer["actionStart"]) > 1:
            new = self.planner.log_probabilities(answer, self.pooled)
            width = max(new.shape[1], self.rows.shape[1])
            pad = lambda x: F.pad(x, (0, width - x.shape[1]), value=-torch.inf)
            self.rows = torch.cat([pad(self.rows), pad(new)])
        return self.rows.index_select(0, answer["rows"])
