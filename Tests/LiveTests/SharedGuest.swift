import CanaryTesting
import Linux
import Testing

/// Boots one canary for all tests of a suite that leave it unchanged, and checks it thoroughly at the end.
struct SharedGuest: SuiteTrait, TestScoping {
    let name: String
    var options = CanaryGuest.Options.withDisk

    /// The guest of the suite whose test is running.
    @TaskLocal static var current: LiveGuest?

    @concurrent func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable @concurrent () async throws -> Void
    ) async throws {
        try await LiveGuest.run(name, options: options) { guest in
            try await Self.$current.withValue(guest) { try await function() }
            try await guest.expectSoundOnOneSide(pid: guest.canary.firstProcess.pid)
        }
    }
}

extension Trait where Self == SharedGuest {
    /// Shares one guest in the whole suite.
    static func sharedGuest(_ name: String, _ change: (inout CanaryGuest.Options) -> Void = { _ in }) -> Self {
        var guest = SharedGuest(name: name)
        change(&guest.options)
        return guest
    }
}
