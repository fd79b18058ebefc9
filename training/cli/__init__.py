"""The commands of the training room."""

import typer

from training.cli.classify import register as register_classify
from training.cli.learn import register as register_learn
from training.cli.recommend import register as register_recommend
from training.cli.test import register as register_test
from training.cli.train import register as register_train


def register(app: typer.Typer) -> None:
    """Add the commands."""
    register_train(app)
    register_test(app)
    register_learn(app)
    register_recommend(app)
    register_classify(app)
