import Glibc
import Synchronization
import TestTools
import Testing

@testable import Linux

@Suite struct UnixStreamTests {
    private struct Message: ~Copyable {
        var text = ""
        var list = DescriptorList()
    }

    private func receive(_ stream: UnixStream, within: Duration = .seconds(2)) throws -> Message {
        var message = Message()
        try withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { room in
            var received = try stream.receive(into: room, within: within)
            message.text = String(decoding: room[..<received.count], as: UTF8.self)
            while let descriptor = received.descriptors.takeFirst() {
                message.list.append(DescriptorList(adopting: [descriptor.release()]))
            }
        }
        return message
    }

    @Test func bytesAndDescriptorsGoThrough() throws {
        let (left, right) = try UnixStream.pair()
        let file = try Descriptor.open("/dev/zero", flags: O_RDONLY)
        try left.send(Array("hello".utf8), descriptors: [file.number, file.number])
        var message = try receive(right)
        #expect(message.text == "hello")
        #expect(message.list.count == 2)
        guard let first = message.list.takeFirst() else { return }
        #expect(fcntl(first.number, F_GETFD) & FD_CLOEXEC != 0)
        var byte: UInt8 = 1
        #expect(read(first.number, &byte, 1) == 1 && byte == 0)
    }

    @Test func descriptorsNobodyTakesAreClosed() throws {
        let (left, right) = try UnixStream.pair()
        let kept = try sendOneEnd(over: left)
        do {
            let message = try receive(right)
            #expect(message.list.count == 1)
        }
        // End of file shows that no copy of the other end is open.
        let message = try receive(kept)
        #expect(message.text.isEmpty)
    }

    private func sendOneEnd(over stream: UnixStream) throws -> UnixStream {
        let (kept, sent) = try UnixStream.pair()
        try stream.send([1], descriptors: [sent.number])
        return kept
    }

    @Test func mostDescriptorsAndOneMore() throws {
        let (left, right) = try UnixStream.pair()
        let file = try Descriptor.open("/dev/null", flags: O_RDONLY)
        try left.send([1], descriptors: Array(repeating: file.number, count: 253))
        let message = try receive(right)
        #expect(message.list.count == 253)
        let error = #expect(throws: SystemError.self) {
            try left.send([1], descriptors: Array(repeating: file.number, count: 254))
        }
        #expect(error?.code == E2BIG)
    }

    @Test func aPeerThatDoesNotReadCostsTheDeadlineAndTheStream() throws {
        let (left, right) = try UnixStream.pair()
        let start = ContinuousClock.now
        let error = #expect(throws: SystemError.self) {
            try left.send(Array(repeating: 7, count: 4 << 20), within: .milliseconds(100))
        }
        #expect(error?.code == ETIMEDOUT)
        #expect(ContinuousClock.now - start < .seconds(2))
        let after = #expect(throws: SystemError.self) { try left.send([1]) }
        #expect(after?.code == EPIPE)
        withExtendedLifetime(right) {}
    }

    @Test func receiveEndsByDeadlineByPeerAndByShutdown() throws {
        let (left, right) = try UnixStream.pair()
        let error = #expect(throws: SystemError.self) { _ = try receive(left, within: .milliseconds(20)) }
        #expect(error?.code == ETIMEDOUT)

        let count = Mutex<Int?>(nil)
        let (woken, waker) = try UnixStream.pair()
        try startThread(name: "receiver") { [left] in
            withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { room in
                let received = (try? left.receive(into: room).count) ?? -1
                count.withLock { $0 = received }
            }
            try? waker.send([1])
        }
        left.shutdown()
        _ = try receive(woken)
        #expect(count.withLock { $0 } == 0)
        let message = try receive(right)
        #expect(message.text.isEmpty)
    }

    @Test(arguments: [20, 107, 108, 150, 400]) func pathsOfAnyLength(length: Int) throws {
        let folder = ScratchFolder()
        var path = folder.path
        while path.utf8.count < length - 60 {
            path += "/" + String(repeating: "d", count: 50)
            #expect(mkdir(path, 0o700) == 0)
        }
        path += "/" + String(repeating: "s", count: max(1, length - path.utf8.count - 1))
        let listener = try UnixListener(path: path)
        var info = stat()
        #expect(stat(path, &info) == 0 && info.st_mode & 0o777 == 0o600)
        let client = try UnixStream.connect(path: path)
        let server = try listener.accept(within: .seconds(2))
        try client.send(Array("x".utf8))
        let message = try receive(server)
        #expect(message.text == "x")
        let peer = try client.peerCredentials()
        #expect(peer == PeerCredentials(pid: getpid(), uid: getuid(), gid: getgid()))
    }

    @Test func refusals() throws {
        let folder = ScratchFolder()
        func code(_ path: String) -> Int32? {
            do throws(SystemError) {
                _ = try UnixStream.connect(path: path)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code(folder.file("none")) == ENOENT)
        #expect(code("") == ENOENT)
        #expect(code(folder.write("plain", "")) == ECONNREFUSED)
        #expect(code(folder.file(String(repeating: "n", count: 200))) == ENAMETOOLONG)
        do { _ = try UnixListener(path: folder.file("dead")) }
        #expect(code(folder.file("dead")) == ECONNREFUSED)
        let again = #expect(throws: SystemError.self) { _ = try UnixListener(path: folder.file("dead")) }
        #expect(again?.code == EADDRINUSE)
    }

    @Test func aFullQueueCostsTheDeadline() throws {
        let folder = ScratchFolder()
        let listener = try UnixListener(path: folder.file("s"), backlog: 1)
        var kept: [UnixStream] = []
        var failure: SystemError?
        let start = ContinuousClock.now
        for _ in 0..<8 where failure == nil {
            do throws(SystemError) {
                kept.append(try UnixStream.connect(path: listener.path, within: .milliseconds(50)))
            } catch {
                failure = error
            }
        }
        #expect(failure?.code == EAGAIN)
        #expect(ContinuousClock.now - start < .seconds(2))
    }
}
