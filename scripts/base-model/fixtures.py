"""Makes the tiny random models that the tests of src/base-model open, and what transformers and gguf say about them.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch==2.7.1 transformers gguf accelerate
    /tmp/venv/bin/python scripts/base-model/fixtures.py src/base-model/fixtures

Everything is seeded: the same versions of the packages write the same bytes. Written are, for each model, a folder in Hugging Face's
layout, GGUF files, and `expected.json` with token ids, rendered chats, logits, greedy tokens and digests of dequantised tensors.
"""

import hashlib
import json
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from gguf import GGMLQuantizationType as Type
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen3Config

VOCABULARY = 288
SIZES = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             max_position_embeddings=512, vocab_size=VOCABULARY)
TEXTS = ["the order of the customer was returned to the store", "where is my parcel? it was sent on 12 May 2024",
         "refund, replace or repair: choose one of the tools", "I'd like to know what it's worth - we'll see"]
PROBES = ["the order was sent on 12345 May", "Hello, wörld! \u00e9\u4e16\u754c \U0001f642", "  two  spaces\n\n\tand a tab ", "it's WE'LL i'd",
          "<|im_start|>user\nrefund<|im_end|>\n"]
PROMPT = "where is the order"
CHAT = [{"role": "system", "content": "You choose a tool."}, {"role": "user", "content": " where is my parcel? "}]
TEMPLATE = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] | trim + '<|im_end|>\n' }}"
            "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

# The pre-tokenizers of the families' own tokenizers, as their tokenizer.json has them.
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def byte_level(pre):
    """A byte-level BPE tokenizer with one of three pre-tokenizers."""
    tokenizer = Tokenizer(models.BPE())
    split = lambda pattern: [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    parts = {"smollm": lambda: [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)],
             "llama-bpe": lambda: split(LLAMA3), "qwen2": lambda: split(QWEN)}[pre]()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)
    if pre == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(TEXTS * 4, trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=SPECIALS, show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    if pre == "llama-bpe":
        tokenizer.post_processor = processors.TemplateProcessing(single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)])
    return wrap(tokenizer, bos_token="<|endoftext|>", eos_token="<|im_end|>")


def sentence_piece():
    """A tokenizer as TinyLlama has it: BPE on characters with bytes to fall back to. Its scores are kept for the GGUF file."""
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    letters = sorted({letter for text in TEXTS for letter in text.replace(" ", "\u2581")})
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(TEXTS * 4, trainers.BpeTrainer(vocab_size=len(letters) + 40, show_progress=False))
    merges = [merge if isinstance(merge, list) else merge.split(" ") for merge in json.loads(trained.to_str())["model"]["merges"]]
    words = list(dict.fromkeys("".join(merge) for merge in merges))
    vocabulary = {piece: index for index, piece in enumerate(pieces + words + letters)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[tuple(merge) for merge in merges], unk_token="<unk>", fuse_unk=True,
                                     byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return wrap(tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def wrap(tokenizer, **tokens):
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=TEMPLATE, clean_up_tokenization_spaces=False, **tokens)


LLAMA3_ROPE = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)


def rope(theta, **scaling):
    """rope_parameters since transformers 5, rope_theta and rope_scaling before."""
    if int(transformers.__version__.split(".")[0]) >= 5:
        return dict(rope_parameters=dict(rope_theta=theta, **(scaling or dict(rope_type="default"))))
    return dict(rope_theta=theta, **(dict(rope_scaling=scaling) if scaling else {}))


# name: configuration, type of the stored weights, bytes of a shard, tokenizer, types of GGUF files.
MODELS = {
    "llama-tied": (lambda: LlamaConfig(**SIZES, **rope(100000.0), tie_word_embeddings=True, rms_norm_eps=1e-5), "float32", 60_000, "smollm",
                   ["Q8_0", "Q4_0", "Q4_1"]),
    "llama-untied": (lambda: LlamaConfig(**SIZES, **rope(10000.0), tie_word_embeddings=False), "float16", None,
                     "sentencepiece", ["F16"]),
    "llama3-scaled": (lambda: LlamaConfig(**SIZES, **rope(500000.0, **LLAMA3_ROPE), tie_word_embeddings=True, head_dim=16), "bfloat16", None,
                      "llama-bpe", ["F32"]),
    "qwen2": (lambda: Qwen2Config(**SIZES, **rope(1000000.0), tie_word_embeddings=True), "bfloat16", None, "qwen2", ["BF16"]),
    "qwen3": (lambda: Qwen3Config(**SIZES, **rope(1000000.0), tie_word_embeddings=False, head_dim=16), "bfloat16", None, "qwen2", ["BF16"]),
}

GGUF_NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}


def gguf_name(name):
    stem, kind = name.rsplit(".", 1)
    if stem.startswith("model.layers."):
        _, _, layer, inner = stem.split(".", 3)
        return f"blk.{layer}.{GGUF_NAMES[inner]}.{kind}"
    return f"{GGUF_NAMES[stem]}.{kind}"


def permuted(weights, heads):
    """llama.cpp's LlamaModel.permute."""
    return weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:]).swapaxes(1, 2).reshape(weights.shape)


def random_model(config):
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="eager").eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Large enough that a mistake anywhere moves the logits; norms away from 1, biases away from 0.
            scale, mean = (0.2, 1.0) if "norm" in name else (0.25, 0.0)
            parameter.copy_(torch.randn(parameter.shape) * scale + mean)
    return model


def write_gguf(path, model, tokenizer, pre, type_name):
    config = model.config
    arch = config.model_type
    writer = gguf.GGUFWriter(str(path), arch)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    parameters = getattr(config, "rope_parameters", None) or {**(config.rope_scaling or {}), "rope_theta": config.rope_theta}
    writer.add_rope_freq_base(parameters["rope_theta"])
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_rope_dimension_count(head)
    writer.add_key_length(head)
    writer.add_value_length(head)
    if arch == "llama":
        writer.add_vocab_size(config.vocab_size)
    add_tokenizer(writer, tokenizer, pre)
    if parameters.get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_factors(parameters, head))
    digests = {}
    for name, parameter in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        weights = parameter.float().numpy()
        if arch == "llama" and ("q_proj" in name or "k_proj" in name):
            weights = permuted(weights, config.num_attention_heads if "q_proj" in name else config.num_key_value_heads)
        kind = Type.F32 if weights.ndim == 1 else Type[type_name]
        stored = gguf.quants.quantize(weights, kind)
        writer.add_tensor(gguf_name(name), stored, raw_dtype=kind)
        values = np.ascontiguousarray(gguf.quants.dequantize(stored, kind), dtype="<f4")
        digests[gguf_name(name)] = hashlib.sha256(values.tobytes()).hexdigest()
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return digests


def llama3_factors(parameters, head):
    """llama.cpp's LlamaModel.generate_extra_tensors."""
    frequencies = 1.0 / (parameters["rope_theta"] ** (np.arange(0, head, 2, dtype=np.float32) / head))
    factor, low, high = (parameters[key] for key in ("factor", "low_freq_factor", "high_freq_factor"))
    old = parameters["original_max_position_embeddings"]
    factors = []
    for frequency in frequencies:
        length = 2 * np.pi / frequency
        smooth = (old / length - low) / (high - low)
        factors.append(1 if length < old / high else factor if length > old / low else 1 / ((1 - smooth) / factor + smooth))
    return np.array(factors, dtype=np.float32)


def add_tokenizer(writer, tokenizer, pre):
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    vocabulary = state["model"]["vocab"]
    tokens = sorted(vocabulary, key=vocabulary.get)
    specials = {token["id"] for token in state["added_tokens"] if token["special"]}
    merges = [" ".join(merge) if isinstance(merge, list) else merge for merge in state["model"]["merges"]]
    writer.add_tokenizer_model("llama" if pre == "sentencepiece" else "gpt2")
    writer.add_tokenizer_pre("default" if pre == "sentencepiece" else pre)
    writer.add_token_list(tokens)
    if pre == "sentencepiece":
        # SentencePiece's scores: pieces that are merged first have the higher ones; single characters come last.
        order = {"".join(merge.split(" ")): rank for rank, merge in reversed(list(enumerate(merges)))}
        writer.add_token_scores([0.0 if index < 259 else -float(order.get(token, len(merges) + index)) for index, token in enumerate(tokens)])
        kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL] + [gguf.TokenType.BYTE] * 256
        writer.add_token_types(kinds + [gguf.TokenType.NORMAL] * (len(tokens) - 259))
    else:
        writer.add_token_types([gguf.TokenType.CONTROL if index in specials else gguf.TokenType.NORMAL for index in range(len(tokens))])
        writer.add_token_merges(merges)
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_add_bos_token(pre in ("llama-bpe", "sentencepiece"))
    writer.add_chat_template(TEMPLATE)


def said_by(model, tokenizer):
    """Logits after each token of a prompt, and sixteen greedy tokens."""
    ids = tokenizer.encode(PROMPT)
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0]
        sequence = list(ids)
        for _ in range(16):
            sequence.append(int(model(torch.tensor([sequence])).logits[0, -1].argmax()))
    # Eight numbers of each row and its log-sum-exp: a mistake in one number of the head would be one in its sum.
    rows = [[round(float(value), 6) for value in [*row[:8], *row[-8:], torch.logsumexp(row, 0)]] for row in logits]
    return {"ids": ids, "logits": rows, "greedy": sequence[len(ids):]}


def make(folder, name):
    make_config, dtype, shard, pre, types = MODELS[name]
    torch.manual_seed(1 + list(MODELS).index(name))
    tokenizer = sentence_piece() if pre == "sentencepiece" else byte_level(pre)
    config = make_config()
    config.vocab_size = len(tokenizer)
    config.bos_token_id, config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    # Rounded to the type that is stored, so that what is read and what is computed with are the same numbers.
    model = random_model(config).to(getattr(torch, dtype))
    target = folder / name
    model.save_pretrained(target, **(dict(max_shard_size=shard) if shard else {}))
    tokenizer.save_pretrained(target)
    for unused in ("generation_config.json", "special_tokens_map.json"):
        (target / unused).unlink(missing_ok=True)
    reference = AutoModelForCausalLM.from_pretrained(target, dtype=torch.float32, attn_implementation="eager").eval()
    opened = AutoTokenizer.from_pretrained(target)
    expected = {
        **said_by(reference, opened),
        "probes": [{"text": text, "ids": opened.encode(text), "bare": opened.encode(text, add_special_tokens=False),
                    "decoded": opened.decode(opened.encode(text, add_special_tokens=False))} for text in PROBES],
        "chat": opened.apply_chat_template(CHAT, tokenize=False, add_generation_prompt=True),
        "gguf": {},
    }
    for type_name in types:
        file = folder / f"{name}-{type_name}.gguf"
        digests = write_gguf(file, reference, tokenizer, pre, type_name)
        # From GGUF files transformers reads neither the head size of Qwen3 nor the factors of rotary frequencies.
        given = dict(config=config) if name in ("qwen3", "llama3-scaled") else {}
        loaded = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file.name, dtype=torch.float32, attn_implementation="eager", **given).eval()
        expected["gguf"][type_name] = {"dequantised": digests, **said_by(loaded, opened)}
    return expected


def main():
    folder = Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    expected = {name: make(folder, name) for name in MODELS}
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "gguf": version("gguf")}
    (folder / "expected.json").write_text(json.dumps({"versions": versions, "prompt": PROMPT, "chat": CHAT, "models": expected}, indent=1) + "\n")


main()
