import Testing

@testable import Guests

@Suite("Recognising QEMU among processes")
struct QEMURecognitionTests {
    @Test(
        "Emulators under every name they go by",
        arguments: [
            ("/usr/bin/qemu-system-x86_64", ["qemu-system-x86_64", "-m", "1G"]),
            ("/usr/bin/qemu-system-aarch64", ["/usr/bin/qemu-system-aarch64", "-machine", "virt"]),
            ("/usr/libexec/qemu-kvm", ["/usr/libexec/qemu-kvm", "-name", "guest=a"]),
            ("/usr/bin/kvm", ["/usr/bin/kvm", "-id", "100"]),
            ("/usr/bin/qemu-system-x86_64", ["kvm"]),
            ("/nix/store/x/bin/.qemu-system-x86_64-wrapped", ["/nix/store/x/bin/qemu-system-x86_64", "-m", "1"]),
            ("/opt/vmm/engine", ["qemu-system-x86_64", "-m", "1G"]),
            ("/opt/vmm/engine", ["engine", "-nodefaults", "-machine", "q35", "-m", "1G"]),
        ])
    func emulators(executable: String, arguments: [String]) {
        #expect(QEMURecognition.isGuest(executable: executable, arguments: arguments))
    }

    @Test(
        "Programs that only mention QEMU, QEMU's other programs, and probes",
        arguments: [
            ("/usr/bin/bash", ["bash", "-c", "qemu-system-x86_64 -m 1G"]),
            ("/usr/bin/bash", ["qemu-system-x86_64", "-m", "1G", "-machine", "q35", "-nodefaults"]),
            ("/usr/bin/sudo", ["sudo", "qemu-system-x86_64", "-m", "1G"]),
            ("/usr/bin/python3.11", ["python3", "qemu-system-x86_64", "-device", "-machine", "-m"]),
            ("/usr/bin/qemu-img", ["qemu-img", "convert", "a", "b"]),
            ("/usr/sbin/qemu-ga", ["qemu-ga", "-m", "virtio-serial", "-p", "/dev/x"]),
            ("/usr/bin/qemu-x86_64", ["qemu-x86_64", "/bin/ls"]),
            ("/usr/bin/vi", ["vi", "/etc/qemu-system-x86_64.conf"]),
            ("/usr/bin/qemu-system-x86_64", ["qemu-system-x86_64", "--version"]),
            ("/usr/bin/qemu-system-x86_64", ["qemu-system-x86_64", "-machine", "help"]),
            ("/usr/bin/qemu-system-x86_64", ["qemu-system-x86_64", "-machine", "none,accel=kvm", "-qmp", "stdio"]),
            ("/usr/bin/qemu-system-x86_64", []),
        ])
    func others(executable: String, arguments: [String]) {
        #expect(!QEMURecognition.isGuest(executable: executable, arguments: arguments))
    }

    @Test("Where the program cannot be read, its own name for itself decides")
    func unreadable() {
        #expect(QEMURecognition.isGuest(executable: nil, arguments: ["/usr/bin/qemu-system-x86_64", "-m", "1G"]))
        #expect(!QEMURecognition.isGuest(executable: nil, arguments: ["bash", "-c", "qemu-system-x86_64"]))
    }
}
