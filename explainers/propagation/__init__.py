"""Mean and variance of every activation under the noise, carried through the network in place of samples."""
