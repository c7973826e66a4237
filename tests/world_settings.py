"""The settings of the small microworld that all tests share."""

WORLD = {"seed": 0, "sentences": 6_000, "bilingual": 0.05, "languages": ["en", "xa", "xh"]}
