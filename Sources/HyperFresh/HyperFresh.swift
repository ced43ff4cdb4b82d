// HyperFresh
