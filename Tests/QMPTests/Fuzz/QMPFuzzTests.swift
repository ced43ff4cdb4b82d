import Glibc
import JSON
import Linux
import TestTools
import Testing

@testable import QMP

/// Feeds mutated monitor output to parser, session, readers and client.
@Suite struct QMPFuzzTests {
    private let fuzz: Fuzz

    init() throws {
        fuzz = Fuzz("qmp", try QMPCorpus.make())
    }

    @Test func parserSessionAndReadersHoldTheirProperties() async {
        #expect(await fuzz.run { input, below in try QMPProperties.check(input, below: below) } == nil)
    }

    @Test(.timeLimit(.minutes(10))) func clientOutlivesWhateverItIsTold() async throws {
        for number in 0..<min(fuzz.fewInputs, 10_000) {
            var (_, mutator) = fuzz.input(number)
            try await talk(to: fuzz.input(number).bytes, greetsFirst: mutator.below(4) > 0, number)
        }
    }

    /// Runs a client against a peer that sends the input and disconnects.
    private func talk(to input: [UInt8], greetsFirst: Bool, _ number: Int) async throws {
        let (ours, theirs) = try UnixStream.pair()
        let greeting = #"{"QMP":{"version":{"qemu":{"major":1,"minor":2,"micro":3},"package":""},"capabilities":[]}}"#
        try startThread(name: "fuzz-peer") {
            let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 1)
            defer { room.deallocate() }
            if greetsFirst {
                try? theirs.send(Array("\(greeting)\r\n".utf8))
                _ = try? theirs.receive(into: room).count
                try? theirs.send(Array("{\"return\":{},\"id\":1}\r\n".utf8))
                _ = try? theirs.receive(into: room).count
            }
            try? theirs.send(input)
            theirs.shutdown()
        }
        let descriptor = Descriptor(adopting: dup(ours.number))
        do throws(QMPError) {
            let client = try await QMPClient.connect(adopting: descriptor, name: "fuzz", greetingDeadline: .seconds(20))
            let events = client.events(capacity: 100_000)
            _ = try? await client.executeRaw("query-status", deadline: .seconds(20))
            var last: QMPError?
            while last == nil {
                do throws(QMPError) { _ = try await events.next() } catch { last = error }
            }
            #expect(
                last?.code == .disconnected || last?.code == .protocolViolation,
                "input \(number): \(String(describing: last))")
        } catch {
            #expect(error.code != .timeout && error.code != .system, "input \(number): \(error)")
        }
    }
}
