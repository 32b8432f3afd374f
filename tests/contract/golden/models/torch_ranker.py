"""Makes torch_ranker.onnx and torch_ranker.npz beside this file, with torch, which the tests do not need.

python tests/contract/golden/models/torch_ranker.py        # torch 2.15, onnx and onnxscript
"""

from pathlib import Path

import numpy as np
import onnx
import torch

HERE = Path(__file__).parent
FEATURES = 4


def main() -> None:
    """A network with drawn weights, batch normalisation as it is in use, and its scores of drawn rows."""
    torch.manual_seed(7)
    model = torch.nn.Sequential(
        torch.nn.Linear(FEATURES, 8),
        torch.nn.BatchNorm1d(8),
        torch.nn.GELU(),
        torch.nn.Linear(8, 1),
    )
    for _ in range(20):  # the running mean and variance of the normalisation
        model(3.0 + 2.0 * torch.randn(64, FEATURES))
    model.eval()
    rows = torch.randn(40, FEATURES)
    torch.onnx.export(
        model, (rows[:2],), HERE / "torch_ranker.onnx", dynamo=True, external_data=False,
        dynamic_shapes=({0: torch.export.Dim("rows")},), verbose=False,
    )  # fmt: skip
    graph = onnx.load(HERE / "torch_ranker.onnx")
    for part in (graph, graph.graph, *graph.graph.node, *graph.graph.input, *graph.graph.output):
        del part.metadata_props[:]  # where the code of torch lies on this machine
    onnx.save(graph, HERE / "torch_ranker.onnx")
    with torch.no_grad():
        np.savez(HERE / "torch_ranker.npz", inputs=rows.numpy(), outputs=model(rows).numpy())


if __name__ == "__main__":
    main()
