"""Making an output again from what is stored of it, to see whether the same sound comes out."""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings

from audit.errors import UnmeasurableError
from generation.architectures import registry
from generation.architectures.base import ArchitectureError
from generation.models import Generation, ModelVersion
from provenance import audio


def make_again(version: ModelVersion, *, n: int) -> dict[str, Any]:
    """Make the first ``n`` outputs again that need no audio of a user's, and compare their bytes.

    Raises
    ------
    UnmeasurableError
        If the weights can't be loaded, or refuse what they made before.
    """
    from generation import checkpoints

    made = list(Generation.objects.filter(model_version=version, prompt_audio_sha256="").order_by("id")[:n])
    if not made:
        return {"tried": 0, "same": 0, "generations": []}
    try:
        checkpoint = checkpoints.load(
            Path(settings.CHECKPOINT_DIR) / version.checkpoint, expected_sha256=version.weights_sha256
        )
        maker = registry.get(version.model.architecture)
        same = [one for one in made if _is_same(one, maker, checkpoint.weights)]
    except (checkpoints.CheckpointError, ArchitectureError) as error:
        raise UnmeasurableError(f"Outputs of {version} can't be made again: {error}.") from error
    return {
        "tried": len(made),
        "same": len(same),
        "generations": [str(one.public_id) for one in made],
        "differ": [str(one.public_id) for one in made if one not in same],
        "compared": "sha256 of the WAV file",
    }


def _is_same(generation: Generation, maker: Any, weights: Any) -> bool:
    sketches = maker.generate(
        weights, seeds=[generation.seed], seconds=generation.seconds, prompt=generation.prompt
    )
    sketch = next(iter(sketches))
    with tempfile.TemporaryDirectory(prefix="liner-again-") as folder:
        path = Path(folder) / "output.wav"
        audio.write_wav(path, sketch.samples, sketch.sample_rate_hz)
        return hashlib.sha256(path.read_bytes()).hexdigest() == generation.sha256
