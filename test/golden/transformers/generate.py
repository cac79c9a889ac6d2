"""Writes the folders beside it: tiny random models as the library transformers saves them, and what it computes with them.

`pip install -r requirements.txt && python generate.py`. Each folder holds the model's files and expected.safetensors:
the inputs, the states after every block (in models with a final norm: after that norm too, so that a model cut off there
gives the same) and the logits, computed in float64.
"""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig, BertForPreTraining, BertForSequenceClassification, EsmConfig, EsmForMaskedLM, GPT2Config, GPT2LMHeadModel,
    RobertaConfig, RobertaForMaskedLM, RobertaForSequenceClassification, ViTConfig, ViTForImageClassification, logging,
)

from make_tokenizers import make_tokenizers

here = Path(__file__).parent
logging.set_verbosity_error()
SIZES = {"bert": 211, "roberta": 307, "gpt2": 293, "esm": 33}
WIDTHS = {"hidden_size": 30, "num_attention_heads": 3, "intermediate_size": 37}
BATCH, LENGTH = 2, 13


def randomise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        is_norm = "norm" in name.lower() or ".ln_" in name
        if is_norm and name.endswith("weight"):
            parameter.data = 1 + 0.3 * noise
        elif parameter.dim() == 1:
            parameter.data = 0.3 * noise
        else:
            parameter.data = (0.5 if "embeddings" in name or "wte" in name or "wpe" in name else 0.3) * noise
    # Positions up to that of padding are never read.
    if model.config.model_type == "roberta":
        model.roberta.embeddings.position_embeddings.weight.data[: model.config.pad_token_id + 1] = 0
    return model.eval()


def text_inputs(vocab_size, mask_token, padding, first_id, seed):
    ids = torch.randint(first_id, vocab_size, (BATCH, LENGTH), generator=torch.Generator().manual_seed(seed))
    mask = torch.ones(BATCH, LENGTH, dtype=torch.long)
    mask[1, 9:] = 0
    if mask_token is not None:
        ids[0, 3] = ids[0, 7] = ids[1, 2] = mask_token
    ids[mask == 0] = padding
    return {"input_ids": ids, "attention_mask": mask}


def expected(model, blocks, norm, inputs):
    """States after every block, and the logits, of the model in float64."""
    model = model.double()
    found = []
    take = lambda _, __, out: found.append(norm(out[0] if isinstance(out, tuple) else out))
    handles = [block.register_forward_hook(take) for block in blocks]
    with torch.no_grad():
        out = model(**inputs)
    for handle in handles:
        handle.remove()
    logits = out.prediction_logits if hasattr(out, "prediction_logits") else out.logits
    assert all(state.shape[-1] == 30 for state in found) and len(found) == len(blocks)
    return {"states": torch.stack(found).float(), "logits": logits.float()}


def write(name, model, blocks, norm, inputs, shard=None):
    folder = here / name
    folder.mkdir(exist_ok=True)
    model.save_pretrained(folder, max_shard_size=shard or "1GB")
    (folder / "generation_config.json").unlink(missing_ok=True)
    numbers = expected(model, blocks, norm, inputs)
    stored = {key: value.int() if value.dtype == torch.long else value.float() for key, value in inputs.items()}
    save_file({**stored, **numbers}, folder / "expected.safetensors")


def identity(x):
    return x


def bert():
    config = BertConfig(**WIDTHS, vocab_size=SIZES["bert"], num_hidden_layers=2, max_position_embeddings=31)
    model = randomise(BertForPreTraining(config), 1)
    inputs = text_inputs(SIZES["bert"], 4, 0, 5, 1)
    inputs["token_type_ids"] = torch.tensor([[0] * 6 + [1] * 7, [0] * 4 + [1] * 9])
    write("bert", model, model.bert.encoder.layer, identity, inputs)


def roberta(name="roberta", seed=2):
    config = RobertaConfig(
        **WIDTHS, vocab_size=SIZES["roberta"], num_hidden_layers=2, max_position_embeddings=31, type_vocab_size=1, layer_norm_eps=1e-5
    )
    model = randomise(RobertaForMaskedLM(config), seed)
    write(name, model, model.roberta.encoder.layer, identity, text_inputs(SIZES["roberta"], 4, 1, 5, 2))


def gpt2():
    size = SIZES["gpt2"]
    config = GPT2Config(n_embd=30, n_head=3, n_layer=2, n_positions=37, vocab_size=size, bos_token_id=0, eos_token_id=0)
    model = randomise(GPT2LMHeadModel(config), 3)
    write("gpt2", model, model.transformer.h, lambda x: model.transformer.ln_f(x), text_inputs(size, None, 0, 1, 3))


def esm_model(seed):
    config = EsmConfig(
        **WIDTHS, vocab_size=33, num_hidden_layers=3, position_embedding_type="rotary", token_dropout=True, mask_token_id=32,
        pad_token_id=1, emb_layer_norm_before=False, layer_norm_eps=1e-5, max_position_embeddings=1026,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )
    return randomise(EsmForMaskedLM(config), seed)


def esm():
    model = esm_model(4)
    norm = lambda x: model.esm.encoder.emb_layer_norm_after(x)
    write("esm", model, model.esm.encoder.layer, norm, text_inputs(33, 32, 1, 4, 4))
    # This version of transformers saves names with gamma and beta; the hub's ESM-2 have weight and bias.
    rename_norms(here / "esm" / "model.safetensors")


def rename_norms(path):
    tensors = load_file(path)
    named = {k.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias"): v for k, v in tensors.items()}
    inverse = [k for k in named if "*" in k]
    for key in inverse:
        for layer in range(3):
            named[key.replace("*", str(layer))] = named[key].clone()
        del named[key]
    save_file(named, path, metadata={"format": "pt"})


def vit():
    config = ViTConfig(**WIDTHS, num_hidden_layers=2, image_size=15, patch_size=5, num_channels=3, num_labels=7)
    model = randomise(ViTForImageClassification(config), 5)
    pixels = torch.randn(BATCH, 3, 15, 15, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    pixels = pixels.float().double()
    write("vit", model, model.vit.layers, lambda x: model.vit.layernorm(x), {"pixel_values": pixels})


def classifiers():
    sizes = {**WIDTHS, "vocab_size": 53, "num_hidden_layers": 1, "max_position_embeddings": 19, "num_labels": 3}
    model = randomise(BertForSequenceClassification(BertConfig(**sizes)), 6)
    write("bert-classes", model, model.bert.encoder.layer, identity, text_inputs(53, 4, 0, 5, 6))
    model = randomise(RobertaForSequenceClassification(RobertaConfig(**sizes, type_vocab_size=1)), 7)
    write("roberta-classes", model, model.roberta.encoder.layer, identity, text_inputs(53, 4, 1, 5, 7))


def variants():
    """RoBERTa in float16, GPT-2 in bfloat16, ESM-2 in shards: the same models otherwise."""
    for name, dtype in [("roberta", torch.float16), ("gpt2", torch.bfloat16)]:
        folder = here / f"{name}-{'f16' if dtype == torch.float16 else 'bf16'}"
        folder.mkdir(exist_ok=True)
        tensors = {key: value.to(dtype) for key, value in load_file(here / name / "model.safetensors").items()}
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        config = json.loads((here / name / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "dtype": str(dtype).split(".")[1]}, indent=2) + "\n")
        kind = {"roberta": RobertaForMaskedLM, "gpt2": GPT2LMHeadModel}[name]
        inputs = load_file(here / name / "expected.safetensors")
        with torch.no_grad():
            model = kind.from_pretrained(folder, dtype=torch.float32).eval().double()
            logits = model(input_ids=inputs["input_ids"].long(), attention_mask=inputs["attention_mask"].long()).logits
        save_file({"logits": logits.float()}, folder / "expected.safetensors")
    folder = here / "esm-sharded"
    shutil.rmtree(folder, ignore_errors=True)
    EsmForMaskedLM.from_pretrained(here / "esm").save_pretrained(folder, max_shard_size="25KB")


if __name__ == "__main__":
    torch.manual_seed(0)
    make_tokenizers(SIZES)
    for make in [bert, roberta, gpt2, esm, vit, classifiers, variants]:
        make()
