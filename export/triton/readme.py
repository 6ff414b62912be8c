"""What a model repository says about itself to whoever finds it."""

from __future__ import annotations

from collections.abc import Mapping

from smoothserve.handlers.card import Card

_TEXT = """\
# A model repository for Triton

Made by `smoothserve triton`. Each network is here as three models:

| model | takes | gives | the network runs in | method |
|---|---|---|---|---|
{rows}

`NAME` is the exported file as it is. The others take photos as they are stored, JPEG or PNG, and answer
alike: `NAME_explain` needs a server with the ONNX backend, which batches what all callers ask; `NAME_photo`
needs the Python backend alone.

## Start

```bash
pip install onnxruntime pillow 'numpy<2'  # for the models that take photos, in the server's Python
tritonserver --model-repository=.         # in this folder
```

NVIDIA's containers have both backends. A server without the ONNX backend is told to take the others:
`--model-control-mode=explicit --load-model={name}_photo`.

## Ask

```bash
url=http://127.0.0.1:8000/v2/models/{name}_photo/infer
curl -s $url -d @- <<END
{{"inputs": [{{"name": "photo", "shape": [1, 1], "datatype": "BYTES", "data": ["$(base64 -w0 cat.jpg)"]}}],
 "outputs": [{{"name": "explanation"}}], "parameters": {{"target": {target}}}}}
END
```

With `pip install tritonclient[http]`:

```python
import json
from pathlib import Path

import numpy as np
import tritonclient.http as triton

client = triton.InferenceServerClient("127.0.0.1:8000")
photo = triton.InferInput("photo", [1, 1], "BYTES")
photo.set_data_from_numpy(np.array([[Path("cat.jpg").read_bytes()]], dtype=np.object_))
answer = client.infer("{name}_photo", [photo])  # parameters={{"target": {target}}} asks for another class
print(json.loads(answer.as_numpy("explanation")[0, 0]))
print(answer.as_numpy("heatmap").shape)
Path("overlay.png").write_bytes(answer.as_numpy("overlay")[0, 0])
```

| output | holds |
|---|---|
| `predictions` | JSON: the most probable classes |
| `explanation` | JSON: the explained class, and the predictions |
| `heatmap` | FP32, a value in [0, 1] for each pixel that the network saw |
| `overlay` | a PNG of the heatmap over the photo |

What is not asked for is not made. Of `{name}_photo`, a request for `predictions` alone explains nothing.
Options are request parameters: `target`, `top_k`, `colormap`, `opacity`, `size`.
"""


def readme(cards: Mapping[str, Card]) -> str:
    """Markdown about networks, by the names that they have on the server."""
    rows = []
    for name, card in cards.items():
        method = card.method["name"]
        rows += [
            f"| `{name}` | `image`, `target` | the file's outputs | the ONNX backend | {method} |",
            f"| `{name}_photo` | `photo` | see below | the Python backend | {method} |",
            f"| `{name}_explain` | `photo` | see below | `{name}` | {method} |",
        ]
    first, card = next(iter(cards.items()))
    return _TEXT.format(rows="\n".join(rows), name=first, target=min(1, card.classes - 1))
