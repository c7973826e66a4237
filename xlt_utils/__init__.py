"""Training and analysis for a study of zero-shot cross-lingual transfer over two sizes:
pretraining tokens and English intermediate-task examples. Import the modules; this file stays
empty so that the command-line tool starts without torch."""
