import Testing

/// Tests of what a stack is made of.
@Suite struct HypervisorsTests {}
