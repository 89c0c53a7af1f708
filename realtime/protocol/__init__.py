"""The stream's language: frames, positions, and what a returning client is told. Pure."""
