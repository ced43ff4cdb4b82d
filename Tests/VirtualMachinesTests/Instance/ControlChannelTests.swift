import Linux
import Testing
@testable import VirtualMachines

@Suite struct ControlChannelTests {
    private let channel: ControlChannel
    private let script: UnixStream

    init() throws {
        let (here, there) = try UnixStream.pair()
        channel = ControlChannel(here, hypervisor: "h1", token: 42)
        script = there
    }

    private func heard() -> String {
        let bytes = [UInt8](unsafeUninitializedCapacity: 64) { room, count in
            count = (try? script.receive(into: UnsafeMutableRawBufferPointer(room), within: .seconds(5)).count) ?? 0
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func failure(within patience: Duration = .seconds(5)) async -> HypervisorError? {
        do throws(HypervisorError) {
            try await channel.hear(to: "wait", within: patience)
            return nil
        } catch {
            return error
        }
    }

    @Test func aWordIsALineAndAnswersEndWithDone() async throws {
        try script.send(Array("step begin 1.00\nstep end 2.00\ndone 42\n".utf8))
        let answer = try await channel.tell("leave", to: "dump", within: .seconds(5))
        #expect(answer == "step begin 1.00\nstep end 2.00")
        #expect(heard() == "leave-42\n")
    }

    @Test func anAnswerMayComeInPieces() async throws {
        async let answer = channel.tell("leave", to: "dump", within: .seconds(5))
        for piece in ["wo", "rds that end in done 42\nandone 42", "\nmore\ndone", " 42\n"] {
            try script.send(Array(piece.utf8))
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(try await answer == "words that end in done 42\nandone 42\nmore")
    }

    /// A script may answer a command of an earlier controller that has died.
    @Test func whatSomebodyElseWasToHearIsNoAnswer() async throws {
        try script.send(Array("done 41\n".utf8))
        async let answer = channel.hear(to: "wait", within: .seconds(5))
        try await Task.sleep(for: .milliseconds(20))
        try script.send(Array("failed 41\nstep end 2.00\ndone 42\n".utf8))
        #expect(try await answer.hasSuffix("step end 2.00"))
    }

    @Test func whatFailedSaysWhy() async throws {
        try script.send(Array("umount: target is busy\nfailed 42\n".utf8))
        let failure = await failure()
        #expect(failure?.message == "VM h1: cannot wait")
        #expect(failure?.evidence == ["umount: target is busy"])
    }

    @Test func aHypervisorThatEndsIsNoAnswer() async throws {
        try script.send(Array("step begin 1.00\n".utf8))
        script.shutdown()
        #expect(await failure()?.evidence == ["step begin 1.00", "the OS VM has exited"])
    }

    @Test func whoeverClosesItIsNotKeptWaiting() async throws {
        async let failure = failure(within: .seconds(3600))
        try await Task.sleep(for: .milliseconds(20))
        channel.close()
        #expect(await failure?.evidence == ["the channel was closed"])
    }

    @Test func silenceHasAnEnd() async {
        #expect(await failure(within: .milliseconds(20))?.evidence.first?.contains("recvmsg") == true)
    }

    @Test func whoeverTalksWithoutEndIsNotListenedTo() async throws {
        let script = script
        async let talking: Void = Task.detached {
            for _ in 0..<200 { try? script.send([UInt8](repeating: 0x61, count: 1024)) }
        }.value
        #expect(await failure()?.evidence == ["it sent more than 65536 bytes"])
        channel.close()
        await talking
    }
}
