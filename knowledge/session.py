"""ONNX Runtime sessions on the CPU, set up for texts of all lengths."""

from pathlib import Path

import onnxruntime

# Its operator for "add, then normalize" goes number by number: three times slower than the two.
_SLOWER = ["SkipLayerNormFusion"]


def new_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """A session for a graph; 0 threads = all cores. Raises whatever onnxruntime does."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Lengths vary from call to call, so remembered memory patterns would only pile up.
    options.enable_mem_pattern = False
    # A waiting thread that spins takes the core from those who work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    providers = ["CPUExecutionProvider"]
    return onnxruntime.InferenceSession(
        str(path), options, providers=providers, disabled_optimizers=_SLOWER
    )
