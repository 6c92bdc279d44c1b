/** A thousand mutated inputs of every kind: refused, or read as they say. */
