"""Looking back at runs: list them, compare them, evaluate and export their models.

    run folders -> list_entries -> parse_filter -> sort_entries            (cifarmlp runs)
    run folders -> load_training -> compare -> tables, compare.png         (cifarmlp compare)
    model.npz -> rebuild_training -> Evaluation -> confusion, mistakes     (cifarmlp evaluate)
    model.npz -> load_network -> outputs for pictures; ONNX, PyTorch       (cifarmlp predict, export)

Above `search`, below `study`: imports `search` and everything under it; imported by `study`, `report`, `api`
and `cli`. Begin with folder.py: a `Run` is a config with its seeds, a `Seed` one training with its numbers.
Nothing is re-exported here: a listing has to be there at once, and evaluation brings matplotlib and scipy.
"""
