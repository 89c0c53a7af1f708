"""The stream's protocol: frames, positions, close codes, and what a returning client must get. Pure."""
