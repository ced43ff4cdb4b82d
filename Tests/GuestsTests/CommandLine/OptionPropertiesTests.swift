import Guests
@testable import QEMUCommandLine
import Testing

@Suite struct OptionPropertiesTests {
    func properties(_ name: String, _ value: String) throws -> OptionProperties {
        try #require(CommandLineOption(name, value).properties)
    }

    @Test func firstKeyMayBeImplied() throws {
        #expect(try properties("netdev", "tap,id=net0,fd=3")["type"] == "tap")
        #expect(try properties("netdev", "id=net0,type=tap")["type"] == "tap")
        #expect(try properties("device", "e1000,netdev=net0")["driver"] == "e1000")
        #expect(try properties("smp", "4,sockets=2")["cpus"] == "4")
        #expect(try properties("drive", "file=a,if=virtio")["file"] == "a")
    }

    @Test func doubledCommasAreCommas() throws {
        var drive = try properties("drive", "file=/a,,b,,,if=virtio")
        #expect(drive["file"] == "/a,b,")
        #expect(drive["if"] == "virtio")
        drive.set("file", "x,y")
        #expect(drive.text == "file=x,,y,if=virtio")
    }

    @Test func switchesHaveAShortForm() throws {
        var socket = try properties("chardev", "socket,id=a,path=/p,server,nowait,nodelay")
        #expect(socket.flag("server") == true)
        #expect(socket.flag("wait") == false)
        #expect(socket.flag("delay") == false)
        #expect(socket.flag("telnet") == nil)
        #expect(socket.text == "socket,id=a,path=/p,server,nowait,nodelay")
        socket.set("wait", flag: false)
        #expect(socket.text == "socket,id=a,path=/p,server,wait=off,nodelay")
    }

    @Test func lastOfDoubledKeysCounts() throws {
        var drive = try properties("drive", "if=ide,file=a,if=virtio,format=raw")
        #expect(drive["if"] == "virtio")
        drive.set("if", "none")
        #expect(drive.text == "if=none,file=a,format=raw")
    }

    @Test func keysMayBeGivenSeveralTimes() throws {
        let user = try properties("netdev", "user,id=n,hostfwd=tcp::22-:22,hostfwd=udp::53-:53")
        #expect(user.values(of: "hostfwd") == ["tcp::22-:22", "udp::53-:53"])
        let json = try properties("netdev", #"{"type":"user","hostfwd":[{"str":"tcp::22-:22"},{"str":"udp::53-:53"}]}"#)
        #expect(json.values(of: "hostfwd") == ["tcp::22-:22", "udp::53-:53"])
    }

    @Test func jsonReadsAsText() throws {
        let device = try properties("device", #"{"driver":"virtio-net-pci","mq":true,"vectors":10,"id":"net0"}"#)
        #expect(device.isJSON)
        #expect(device["driver"] == "virtio-net-pci")
        #expect(device.flag("mq") == true)
        #expect(device["vectors"] == "10")
        #expect(device["missing"] == nil)
    }

    @Test func jsonKeepsItsTypes() throws {
        let text = #"{"fd":"3","id":"n","size":8589934592,"vhost":true}"#
        var json = try properties("netdev", text)
        json.set("fd", "10")
        json.set("vhost", flag: false)
        json.set("size", "4096")
        json.set("new", "x")
        #expect(json.text == #"{"fd":"10","id":"n","new":"x","size":4096,"vhost":false}"#)
        json.remove("new", "size")
        #expect(json.text == #"{"fd":"10","id":"n","vhost":false}"#)
    }

    @Test func nestedKeysJoinByDots() throws {
        var node = try properties("blockdev", #"{"driver":"qcow2","file":{"driver":"file","filename":"/a"}}"#)
        #expect(node["file.filename"] == "/a")
        node.set("file.filename", "/b")
        node.remove("file.driver")
        #expect(node.text == #"{"driver":"qcow2","file":{"filename":"/b"}}"#)
        let flat = try properties("blockdev", "driver=qcow2,file.driver=file,file.filename=/a")
        #expect(flat["file.filename"] == "/a")
    }

    @Test func jsonIsTextWhereQEMUTakesNone() throws {
        let chardev = try properties("chardev", #"{"backend":"null"}"#)
        #expect(!chardev.isJSON)
    }

    @Test func untouchedJSONKeepsItsOrder() throws {
        let text = #"{"qom-type":"rng-random", "id":"r", "filename":"/dev/urandom"}"#
        #expect(CommandLineOption("object", text).arguments == ["-object", text])
    }
}
