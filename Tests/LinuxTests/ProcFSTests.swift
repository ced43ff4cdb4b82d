import Glibc
import TestTools
import Testing

@testable import Linux

@Suite struct ProcFSTests {
    @Test func mappings() {
        let text = """
            55e0b0a00000-55e0b0a21000 r--p 00000000 fe:00 1234                       /usr/bin/qemu-system-x86_64
            7f0000000000-7f0010000000 rw-s 00000000 00:1b 77                         /dev/shm/ram 0 (deleted)
            7f0010000000-7f0020000000 rw-s 10000000 00:01 2052                       /memfd:pc.ram (deleted)
            7f0020000000-7f0020001000 rw-s 00001000 103:05 9                         /a\\012b\\c
            7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]
            7f0030000000-7f0030001000 rw-p 00000000 00:00 0 
            rubbish
            ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
            """
        let mappings = MemoryMapping.parse(Array(text.utf8))
        #expect(mappings.count == 7)
        #expect(mappings[0].path == "/usr/bin/qemu-system-x86_64" && !mappings[0].isShared && !mappings[0].isDeleted)
        #expect(mappings[1].path == "/dev/shm/ram 0" && mappings[1].isShared && mappings[1].isDeleted)
        #expect(mappings[1].length == 256 << 20)
        #expect(mappings[2].path == "/memfd:pc.ram" && mappings[2].isDeleted && mappings[2].offset == 256 << 20)
        #expect(mappings[3].path == "/a\nb\\c" && mappings[3].device.major == 0x103 && mappings[3].device.minor == 5)
        #expect(mappings[5].path == "" && mappings[5].inode == 0)
        #expect(mappings[6].end == 0xffff_ffff_ff60_1000)
    }

    @Test func ourMappingOfAFileHasItsIdentity() throws {
        let folder = ScratchFolder()
        let path = folder.write("ram", String(repeating: "x", count: 4096))
        let file = try Descriptor.open(path, flags: O_RDWR)
        let address = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.number, 0)
        defer { munmap(address, 4096) }
        let mapping = try #require(try ProcFS.mappings(getpid()).first { $0.path == path })
        #expect(mapping.isShared && !mapping.isDeleted)
        #expect(try mapping.inode == Files.identity(path).inode)
        #expect(unlink(path) == 0)
        #expect(try ProcFS.mappings(getpid()).contains { $0.path == path && $0.isDeleted })
    }

    @Test func whoHoldsALockIsTold() throws {
        let text = """
            1: POSIX  ADVISORY  WRITE 11 00:1a:42 0 EOF
            2: FLOCK  ADVISORY  WRITE 12 00:1a:43 0 EOF
            3: FLOCK  ADVISORY  WRITE 13 00:1a:42 0 EOF
            3: -> FLOCK  ADVISORY  WRITE 14 00:1a:42 0 EOF
            4: FLOCK  ADVISORY  WRITE 0 00:1a:44 0 EOF
            """
        func holder(_ inode: UInt64) -> Int32? {
            ProcFS.lockHolder(of: FileIdentity(major: 0, minor: 0x1A, inode: inode), in: text)
        }
        #expect(holder(42) == 13 && holder(43) == 12 && holder(44) == nil && holder(45) == nil)
        let folder = ScratchFolder()
        let path = folder.write("locked", "")
        guard let lock = try FileLock.tryAcquire(path) else {
            Issue.record("locked by another")
            return
        }
        let file = lock.identity
        #expect(try ProcFS.lockHolder(of: file) == getpid())
    }

    @Test func theBootHasAnID() throws {
        #expect(try ProcFS.bootID().utf8.count == 36)
        #expect(try ProcFS.bootID() == ProcFS.bootID())
    }

    @Test func unixSockets() {
        let text = """
            Num       RefCount Protocol Flags    Type St Inode Path
            0000000000000000: 00000002 00000000 00010000 0001 01 15000 /run/a b.sock
            0000000000000000: 00000003 00000000 00000000 0001 03 15001
            ffff888100000000: 00000002 00000000 00010000 0001 01     7 @abstract@name
            0000000000000000: 00000002 00000000 00010000 0005 01 15002 /run/line
            break
            0000000000000000: 00000002 00000000 00010000 0001 01 15003 /run/liar
            0000000000000000: 00000002 00000000 00010000 0001 01 15000 /run/forged
            0000000000000000: 00000002 00000000 00000000 0001 01 15004  leading

            """
        let sockets = UnixSocketEntry.parse(text)
        #expect(
            sockets == [
                UnixSocketEntry(inode: 15001, path: nil, isListening: false),
                UnixSocketEntry(inode: 7, path: "@abstract@name", isListening: true),
                UnixSocketEntry(inode: 15002, path: "/run/line\nbreak", isListening: true),
                UnixSocketEntry(inode: 15003, path: "/run/liar", isListening: true),
                UnixSocketEntry(inode: 15004, path: " leading", isListening: false),
            ]
        )
        #expect(UnixSocketEntry.parse("") == [])
    }

    @Test func ourUnixSocket() throws {
        let folder = ScratchFolder()
        let listener = try UnixListener(path: folder.file("a socket"))
        let entry = try #require(try ProcFS.unixSockets().first { $0.path == listener.path })
        #expect(entry.isListening)
        #expect(try ProcFS.descriptors(getpid())[listener.number] == "socket:[\(entry.inode)]")
        #expect(try ProcFS.unixSockets(of: getpid()).contains(entry))
    }

    @Test func tcpListeners() {
        let text = """
              sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
               0: 0100007F:170C 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100
               1: 0100007F:170C 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100
               2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100
            """
        #expect(
            TCPListener.parse(text) == [
                TCPListener(inode: 4711, address: "127.0.0.1", port: 5900),
                TCPListener(inode: 4713, address: "0.0.0.0", port: 22),
            ]
        )
        let six = """
              sl  local_address                         remote_address                        st ...
               0: 00000000000000000000000001000000:170C 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 99 1
               1: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 98 1
               2: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 97 1
               3: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 96 1
               4: 0:0050 0:0 0A 0:0 0:0 0 0 0 96 1
            """
        #expect(TCPListener.parse(six).map(\.address) == ["::1", "2001:db8::1", "::ffff:127.0.0.1", "::"])
    }

    @Test func credentials() throws {
        let text = """
            Name:\tUid:\\n 0
            Umask:\t0027
            State:\tS (sleeping)
            Uid:\t1000\t1001\t1002\t1003
            Gid:\t7\t8\t9\t10
            Groups:\t108 4 
            NStgid:\t1
            CapInh:\t0000000000000001
            CapPrm:\t00000000a80425fb
            CapEff:\t0000000000000002
            CapBnd:\t000001ffffffffff
            CapAmb:\t0000000000000004
            NoNewPrivs:\t1
            Seccomp:\t2
            Seccomp_filters:\t1
            """
        let found = try #require(ProcessCredentials(parsing: text))
        #expect(found.user == .init(real: 1000, effective: 1001, saved: 1002))
        #expect(found.group == .init(real: 7, effective: 8, saved: 9))
        #expect(found.groups == [4, 108] && found.umask == 0o27 && found.noNewPrivileges && found.seccompMode == 2)
        #expect(found.inheritable == 1 && found.permitted == 0xa804_25fb && found.effective == 2)
        #expect(found.bounding == 0x1ff_ffff_ffff && found.ambient == 4)
        #expect(ProcessCredentials(parsing: "") == nil)
        let ours = try ProcFS.credentials(getpid())
        #expect(ours.user.effective == geteuid() && ours.group.real == getgid())
    }

    @Test func limits() throws {
        let text = """
            Limit                     Soft Limit           Hard Limit           Units     
            Max cpu time              unlimited            unlimited            seconds   
            Max open files            1024                 1048576              files     
            Max nice priority         0                    0                    
            Max something new         1                    2                    
            """
        #expect(
            ProcessLimit.parse(text) == [
                ProcessLimit(resource: 0, soft: nil, hard: nil),
                ProcessLimit(resource: 7, soft: 1024, hard: 1_048_576),
                ProcessLimit(resource: 13, soft: 0, hard: 0),
            ]
        )
        var raw = rlimit()
        #expect(getrlimit(__rlimit_resource_t(7), &raw) == 0)
        let ours = try ProcFS.limits(getpid())
        #expect(ours.count == 16)
        #expect(ours.first { $0.resource == 7 }?.soft == UInt64(raw.rlim_cur))
    }

    @Test func theRestAboutOurselves() throws {
        #expect(try ProcFS.namespaces(getpid())["net"] != nil)
        #expect(try ProcFS.residentBytes(getpid()) > 1 << 20)
        #expect(try (-1000...1000).contains(ProcFS.oomScoreAdjustment(getpid())))
        #expect(try ProcFS.rootDirectory(getpid()) == "/")
        _ = try ProcFS.securityLabel(getpid())
        #expect(ProcFS.unifiedCgroup(in: "12:cpu:/x\n0::/a.slice/b:c.scope\n") == "/a.slice/b:c.scope")
        #expect(ProcFS.unifiedCgroup(in: "12:cpu:/x\n") == nil)
    }

    /// Processes exit while they are read; readers may throw, but only "gone".
    @Test func processesThatVanish() throws {
        for _ in 0..<50 {
            let pid = try spawn(SpawnRequest(executable: "/bin/true", arguments: ["true"])).pid
            for _ in 0..<20 {
                do throws(SystemError) {
                    _ = try ProcFS.status(pid)
                    _ = try ProcFS.commandLine(pid)
                    _ = try ProcFS.environment(pid)
                    _ = try ProcFS.mappings(pid)
                    _ = try ProcFS.descriptors(pid)
                    _ = try ProcFS.credentials(pid)
                    _ = try ProcFS.executable(pid)
                    _ = try ProcFS.namespaces(pid)
                    _ = try ProcFS.unixSockets(of: pid)
                } catch {
                    #expect(error.isGone || error.code == EINVAL || error.code == EACCES, "\(error)")
                }
            }
        }
    }
}
