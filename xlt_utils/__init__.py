"""Training and analysis for a study of zero-shot cross-lingual transfer over two sizes:
pretraining tokens and English intermediate-task examples. Import the modules; this file imports
nothing of them, so that the command-line tool starts without torch."""

import os

# In a notebook the progress bars of libraries are red boxes that say nothing about a study.
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
# `datasets` tells a server that is not the hub's of every reader that it opens, and waits for it.
os.environ.setdefault("HF_UPDATE_DOWNLOAD_COUNTS", "0")
