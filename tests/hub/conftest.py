"""What the tests of the hub share: a hub on loopback that holds the small world and a tiny XLM-R, and a user who runs
`xlt` against it in folders of their own; one of each for a file of tests."""

import hub_server
import hub_world
import pytest


@pytest.fixture(scope="session")
def encoder(vocabulary, tmp_path_factory):
    """The folder of a tiny XLM-R with random weights, in several files."""
    from xlt_utils.training import encoders

    folder = tmp_path_factory.mktemp("xlm-r")
    shape = {"layers": 1, "width": 32, "heads": 2, "vocabulary": len(vocabulary.tokenizer), "length": 64}
    model = encoders.create_encoder(encoders.make_config("xlm-roberta", **shape), seed=0)
    model.save_pretrained(folder, max_shard_size="50KB")
    vocabulary.tokenizer.save_pretrained(folder)
    assert len(list(folder.glob("*.safetensors"))) > 1
    return folder


@pytest.fixture(scope="module")
def hub(world, encoder):
    with hub_server.serve() as hub:
        hub_world.fill(hub, world, encoder)
        yield hub


@pytest.fixture(scope="module")
def commands(hub, tmp_path_factory):
    commands = hub_world.Commands(hub.url, tmp_path_factory.mktemp("user"))
    yield commands
    commands.close()
