import Testing

@testable import Systemd

@Suite struct SystemdTests {
    @Test(arguments: [
        ("web", "web.scope"), ("hf-web_1.x:2", "hf-web_1.x:2.scope"), ("a b/c", "a\\x20b\\x2fc.scope"),
        ("é\n", "\\xc3\\xa9\\x0a.scope"), ("a\\b@", "a\\x5cb\\x40.scope"),
    ])
    func scopesHaveNamesThatSystemdAccepts(text: String, name: String) {
        #expect(SystemdManager.scopeName(text) == name)
    }

    @Test func longNamesAreCut() {
        let name = SystemdManager.scopeName(String(repeating: "é", count: 200))
        #expect(name.utf8.count <= 255 && name.utf8.count > 245 && name.hasSuffix(".scope"))
        #expect((name.utf8.count - ".scope".utf8.count) % 4 == 0)
    }

    @Test(arguments: [
        ("no", false), ("on-success", false), ("on-failure", true), ("on-abnormal", true), ("on-abort", true),
        ("always", true),
    ])
    func restartsAfterAKill(policy: String, restarts: Bool) {
        let unit = SystemdUnit(name: "a.service", slice: "", controlGroup: "", mainPID: 7, restart: policy)
        #expect(unit.restarts(whenKilled: 7) == restarts)
        #expect(!unit.restarts(whenKilled: 8))
    }

    @Test(arguments: ["no", "on-success", "on-failure", "always"])
    func aMainProcessThatWaitsEndsTheService(policy: String) {
        let unit = SystemdUnit(name: "a.service", slice: "", controlGroup: "", mainPID: 7, restart: policy)
        #expect(unit.ends(whenKilled: 8, ancestors: [7, 1]) && !unit.ends(whenKilled: 8, ancestors: [6, 1]))
        // Its exit status is then unknown.
        #expect(unit.restarts(whenKilled: 8, ancestors: [7, 1]) == (policy != "no"))
    }

    @Test func onlyWhatWasSetIsCopied() {
        let names = ResourceControl.worthCopying([
            "CPUWeight": Variant.uint64(.max), "MemoryMax": Variant.uint64(1 << 30), "MemoryLow": Variant.uint64(0),
            "TasksMax": Variant.uint64(.max), "DevicePolicy": .string("auto"), "IOWeight": .string("wrong type"),
            "AllowedCPUs": Variant.array(of: "y", []), "Description": .string("not a limit"),
        ]).map(\.0)
        #expect(names == ["MemoryMax", "TasksMax"])
        let closed = ResourceControl.worthCopying(["DevicePolicy": .string("closed")]).map(\.0)
        #expect(closed == ["DevicePolicy"])
    }

    @Test(arguments: [
        [], [""], ["a"], ["a b", "c"], ["it's"], ["$HOME", "`x`", "\\", "\"", "é", "\n", "*"],
        ["-drive", "file=/a b,if=none"],
    ])
    func wordsSurviveTheShell(words: [String]) {
        #expect(ShellWords.split(ShellWords.join(words)) == words)
    }

    @Test func plainWordsStayPlain() {
        #expect(ShellWords.join(["qemu-system-x86_64", "-m", "1G,slots=2"]) == "qemu-system-x86_64 -m 1G,slots=2")
        #expect(ShellWords.quote("a b") == "'a b'")
        #expect(ShellWords.split("a 'b c' \"d\\\"e\" f\\ g # rest") == ["a", "b c", "d\"e", "f g"])
        #expect(ShellWords.split("a 'b") == nil)
        #expect(ShellWords.split("  ") == [])
    }

    @Test func aBusThatIsNotThere() async {
        let error = await #expect(throws: SystemdError.self) {
            _ = try await SystemdManager(address: "unix:path=/nowhere").unit(of: 1)
        }
        #expect(error?.code == .unavailable)
    }
}
