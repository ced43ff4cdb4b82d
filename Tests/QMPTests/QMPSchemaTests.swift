import JSON
import QMP
import Testing

@Suite struct QMPSchemaTests {
    @Test func featuresAreDecidedBySchema() throws {
        let old = try Fixtures.schema("7.2")
        let new = try Fixtures.schema("10.0")
        for schema in [old, new] {
            for name in ["events", "x-ignore-shared", "return-path", "late-block-activate"] {
                #expect(schema.has(value: name, of: "capabilities", "capability", in: "migrate-set-capabilities"))
            }
            #expect(schema.hasCommand("query-status"))
            #expect(!schema.hasCommand("query-nonsense"))
            #expect(!schema.hasCommand("STOP"))
            #expect(schema.hasEvent("STOP"))
            #expect(schema.command("migrate", takes: "uri"))
            #expect(!schema.command("migrate", takes: "nonsense"))
            #expect(!schema.command("migrate", takes: "uri", "nonsense"))
            #expect(schema.command("qom-set", takes: "value", "anything", "below"))
            #expect(schema.command("query-status", returns: "status"))
            #expect(schema.command("query-pci", returns: "devices", "pci_bridge", "devices", "qdev_id"))
            #expect(schema.allowsOutOfBand("migrate-pause"))
            #expect(!schema.allowsOutOfBand("cont"))
        }
        #expect(!old.command("migrate", takes: "channels"))
        #expect(new.command("migrate", takes: "channels", "addr", "transport"))
        #expect(!old.has(value: "cpr-transfer", of: "mode", in: "migrate-set-parameters"))
        #expect(new.has(value: "cpr-transfer", of: "mode", in: "migrate-set-parameters"))
        #expect(new.values(of: "mode", in: "migrate-set-parameters") == ["normal", "cpr-reboot", "cpr-transfer"])
        #expect(old.command("query-status", returns: "singlestep"))
        #expect(!new.command("query-status", returns: "singlestep"))
    }

    @Test(arguments: [
        ([""], "query-status"), (["query-st"], "query-status"), (["migrate", ""], "uri="), (["migrate", "u"], "uri="),
        (["migrate", "resume="], "resume=true"), (["chardev-add", "id=x", "backend."], "backend.type="),
        (["chardev-add", "backend.type=so"], "backend.type=socket"),
        (["chardev-add", "backend.type=socket", "backend.data."], "backend.data.addr."),
        (["chardev-add", "b"], "backend."), (["netdev_add", "type=ta"], "type=tap"),
        (["netdev_add", "type=tap", "if"], "ifname="),
    ])
    func completes(words: [String], expected: String) throws {
        let completions = try Fixtures.schema("10.0").completions(for: words)
        #expect(completions.contains(expected), "\(completions.prefix(20))")
        #expect(completions.allSatisfy { $0.hasPrefix(words.last ?? "") })
    }

    @Test func completesOnlyWhatFits() throws {
        let schema = try Fixtures.schema("10.0")
        #expect(!schema.completions(for: ["migrate", "uri=x", "u"]).contains("uri="))
        #expect(schema.completions(for: ["query-status", ""]).isEmpty)
        #expect(schema.completions(for: ["nonsense", ""]).isEmpty)
        #expect(!schema.completions(for: ["netdev_add", "type=user", ""]).contains("ifname="))
    }

    @Test func readsWordsByTheirTypes() throws {
        let schema = try Fixtures.schema("10.0")
        let words = ["initial=50", "max=550", "rounds=5", "step=100", #"interfaces=["vn1"]"#]
        #expect(
            try schema.arguments(from: words, for: "announce-self")
                == ["initial": 50, "max": 550, "rounds": 5, "step": 100, "interfaces": ["vn1"]]
        )
        let chardev = [
            "id=7", "backend.type=socket", "backend.data.addr.type=unix", "backend.data.addr.data.path=/x=y",
            "backend.data.server=on",
        ]
        #expect(
            try schema.arguments(from: chardev, for: "chardev-add") == [
                "id": "7",
                "backend": [
                    "type": "socket", "data": ["addr": ["type": "unix", "data": ["path": "/x=y"]], "server": true],
                ],
            ]
        )
        #expect(
            try schema.arguments(from: ["path=/", "property=p", "value=12"], for: "qom-set")["value"] == 12
        )
        #expect(try schema.arguments(from: ["driver=virtio-net-pci", "mq=on"], for: "device_add")["mq"] == "on")
        for words in [["initial=x"], ["initial"], ["=x"], ["interfaces=vn1"]] {
            let error = #expect(throws: QMPError.self) { try schema.arguments(from: words, for: "announce-self") }
            #expect(error?.code == .invalidCommand)
        }
    }

    @Test func whatIsNoSchemaIsRefused() {
        for value in [[:], [1], [["name": "x"]], [["name": "x", "meta-type": "new"]]] as [JSONValue] {
            let error = #expect(throws: QMPError.self) { try QMPSchema(value) }
            #expect(error?.code == .unusableReply)
        }
    }

    @Test func aSchemaThatGoesInCirclesIsRefused() throws {
        let chain = (0..<50).map { number -> JSONValue in
            ["name": "a\(number)", "meta-type": "array", "element-type": "a\(number + 1)"]
        }
        let tree = (0..<40).map { number -> JSONValue in
            let next: JSONValue = ["type": "t\(number + 1)"]
            return ["name": "t\(number)", "meta-type": "alternate", "members": [next, next]]
        }
        let ring: JSONValue = [["name": "a", "meta-type": "array", "element-type": "a"]]
        let variants: JSONValue = [
            ["name": "o", "meta-type": "object", "members": [], "tag": "t", "variants": [["case": "c", "type": "o"]]]
        ]
        for value in [ring, variants, .array(chain), .array(tree)] {
            let error = #expect(throws: QMPError.self) { try QMPSchema(value) }
            #expect(error?.code == .unusableReply)
        }
    }

    @Test func objectsMayHoldObjectsOfTheirKind() throws {
        let members: JSONValue = [["name": "next", "type": "o"], ["name": "other", "type": "o"]]
        let schema = try QMPSchema([
            ["name": "o", "meta-type": "object", "members": members],
            ["name": "c", "meta-type": "command", "arg-type": "o", "ret-type": "o"],
        ])
        #expect(schema.command("c", takes: "next", "other", "next"))
        #expect(!schema.command("c", takes: "next", "third"))
        #expect(schema.completions(for: ["c", "next.other."]) == ["next.other.next.", "next.other.other."])
    }
}
