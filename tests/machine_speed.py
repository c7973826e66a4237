"""The speed of a machine that plans are reckoned with."""

from xlt_utils.pipeline.planning import speed
from xlt_utils.training import encoders

MEASURED = speed.Speed(
    config=encoders.make_config("modernbert", layers=2, width=32, heads=2, vocabulary=1000, length=64),
    weights=100_000,
    masked_token=1e-5,
    task=lambda name, length, batch: speed.TaskSpeed(20.0, 20.0, batch * 2e-4, 2e-5, 100),
)
