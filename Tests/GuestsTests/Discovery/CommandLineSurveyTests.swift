@testable import QEMUCommandLine
import Testing

@testable import Guests

@Suite("What a command line says at first sight")
struct CommandLineSurveyTests {
    private func survey(_ arguments: String...) throws -> CommandLineSurvey {
        CommandLineSurvey(try CommandLine(arguments: ["qemu-system-x86_64"] + arguments, readConfig: { _ in "" }))
    }

    @Test("The name is the guest's, however it is written")
    func names() throws {
        #expect(try survey("-name", "web").name == "web")
        #expect(try survey("-name", "guest=web,debug-threads=on").name == "web")
        #expect(try survey("-name", "process=x").name == nil)
        #expect(
            try survey("-uuid", "d5cd9d0e-5c16-4b8c-8f4f-0f8c3c5b9e57").uuid == "d5cd9d0e-5c16-4b8c-8f4f-0f8c3c5b9e57")
    }

    @Test("QMP monitors on unix sockets, and no others")
    func monitors() throws {
        #expect(try survey("-qmp", "unix:/run/a.sock,server=on,wait=off").monitors == [.path("/run/a.sock")])
        #expect(try survey("-qmp-pretty", "unix:a,,b.sock,server").monitors == [.path("a,b.sock")])
        #expect(try survey("-qmp", "tcp:127.0.0.1:4444,server=on").monitors.isEmpty)
        #expect(try survey("-qmp", "unix:/run/a.sock").monitors.isEmpty, "a client's end, not a server's")
        #expect(try survey("-monitor", "unix:/run/a.sock,server=on").monitors.isEmpty, "speaks HMP")
        #expect(
            try survey(
                "-chardev", "socket,id=mon0,path=/run/m.sock,server=on,wait=off", "-mon", "chardev=mon0,mode=control"
            ).monitors == [.path("/run/m.sock")])
        #expect(
            try survey("-chardev", "socket,id=mon0,path=/run/m.sock,server=on", "-mon", "mon0,mode=readline").monitors
                .isEmpty)
        #expect(
            try survey("-chardev", "socket,id=m,fd=31,server=on,wait=off", "-mon", "chardev=m,id=monitor,mode=control")
                .monitors == [.descriptor(31)])
    }

    @Test("Memory backends with what matters about them")
    func memory() throws {
        #expect(try survey("-m", "1G").memoryBackends == [MemoryBackendOption(type: nil, id: nil)])
        #expect(
            try survey("-m", "1G", "-mem-path", "/dev/hugepages", "-mem-prealloc").memoryBackends
                == [
                    MemoryBackendOption(
                        type: "memory-backend-file", id: nil, path: "/dev/hugepages", preallocates: true)
                ])
        let json = #"{"qom-type":"memory-backend-file","id":"r","mem-path":"/ram","share":true,"size":1073741824}"#
        #expect(
            try survey("-machine", "q35,memory-backend=r", "-object", json).memoryBackends
                == [
                    MemoryBackendOption(
                        type: "memory-backend-file", id: "r", path: "/ram", size: "1073741824", isShared: true)
                ])
        let memfd = try survey("-object", "memory-backend-memfd,id=m,size=1G", "-numa", "node,memdev=m").memoryBackends
        #expect(memfd.map(\.isShared) == [true])
        // A backend other than the machine's own memory leaves that memory anonymous.
        #expect(
            try survey("-object", "memory-backend-file,id=nv,size=1G,mem-path=/n").memoryBackends.map(\.type) == [
                nil, "memory-backend-file",
            ])
    }

    @Test("Accelerators in QEMU's order")
    func accelerators() throws {
        #expect(try survey().accelerators == ["tcg"])
        #expect(try survey("-enable-kvm").accelerators == ["kvm"])
        #expect(try survey("-machine", "q35,accel=kvm:tcg").accelerators == ["kvm", "tcg"])
        #expect(try survey("-accel", "kvm,kernel-irqchip=split", "-accel", "tcg").accelerators == ["kvm", "tcg"])
    }
}
