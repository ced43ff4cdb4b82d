import Testing

/// Checks sources and manifest against the module rules in ``House``.
@Suite struct ArchitectureTests {
    @Test func arrowsPointDown() {
        for (index, room) in House.rooms.enumerated() {
            let below = House.rooms[..<index].map(\.name)
            for use in room.uses {
                #expect(below.contains(use), "\(room.name) uses \(use), which does not stand below it")
            }
        }
    }

    @Test func everyFolderIsARoom() throws {
        #expect(try Set(SourceTree.folders(in: "Sources")) == Set(House.rooms.map(\.name)))
    }

    @Test func everyImportIsAllowed() throws {
        let rooms = Dictionary(uniqueKeysWithValues: House.rooms.map { ($0.name, $0) })
        let files = try SourceTree.files(in: "Sources", endings: ["swift"])
        #expect(files.count > 50)
        for file in files {
            guard let room = rooms[file.room] else { continue }
            var allowed = Set(room.uses + room.packages)
            if !room.isPure { allowed.formUnion(House.toolchain) }
            for (module, line) in file.imports {
                #expect(allowed.contains(module), "\(file.path):\(line): \(room.name) must not import \(module)")
            }
        }
    }

    @Test func aCLibraryHasOneOwner() {
        for library in House.rooms.map(\.name)
        where library.hasPrefix("C") && library.dropFirst().first?.isUppercase == true {
            #expect(House.rooms.filter { $0.uses.contains(library) }.count == 1, "\(library) has several owners")
        }
    }

    @Test func theManifestGivesNoMoreThanTheHouseAllows() throws {
        let manifest = try SourceTree.text("Package.swift")
        for room in House.rooms where !room.name.hasPrefix("C") || room.name == "CanaryTesting" {
            let given = try #require(
                Manifest.dependencies(of: room.name, in: manifest), "\(room.name) is not in the manifest")
            let modules = given.flatMap { House.products[$0] ?? [$0] }
            let excess = Set(modules).subtracting(room.uses + room.packages)
            #expect(excess.isEmpty, "the manifest lets \(room.name) use \(excess.sorted())")
            let missing = Set(room.uses + room.packages).subtracting(modules)
            #expect(missing.isEmpty, "the manifest does not let \(room.name) use \(missing.sorted())")
        }
    }

    @Test func everyTargetIsStrict() throws {
        let manifest = try SourceTree.text("Package.swift")
        let plain = manifest.split(separator: "\n").filter {
            $0.contains(".target(name:") || $0.contains("executableTarget(")
        }
        for line in plain {
            #expect(
                line.contains("strictSettings") || line.contains("strictCSettings") || line.contains("swiftSettings:"))
        }
        for setting in [
            "ExistentialAny", "MemberImportVisibility", "InternalImportsByDefault", "treatAllWarnings(as: .error)",
        ] {
            #expect(manifest.contains(setting))
        }
    }

    @Test func filesFitAPersonsHead() throws {
        for file in try SourceTree.files(in: "Sources", endings: ["swift", "c", "h"]) {
            #expect(file.lines.count <= 400, "\(file.path) has \(file.lines.count) lines")
        }
    }

    @Test func testsUseSwiftTesting() throws {
        for file in try SourceTree.files(in: "Tests", endings: ["swift"]) {
            #expect(!file.imports.contains { $0.module == "XCTest" }, "\(file.path) imports XCTest")
        }
    }

    @Test(
        arguments: [
            ("import A", ["A"]), ("public import A", ["A"]), ("@testable import A", ["A"]),
            ("import struct A.B", ["A"]),
            ("@preconcurrency private import A // why", ["A"]), ("// import A", []), ("important(A)", []),
            ("  import A", ["A"]),
        ] as [(String, [String])])
    func importsAreFound(line: String, modules: [String]) {
        #expect(SourceTree.File(path: "Sources/X/f.swift", lines: [line[...]]).imports.map(\.module) == modules)
    }
}

/// Parses Package.swift as text: running the package manager from within a test would deadlock on its lock.
enum Manifest {
    /// Returns the names of a target's dependencies; nil if there is no such target.
    static func dependencies(of room: String, in manifest: String) -> [String]? {
        for head in ["room(", "executableTarget("] {
            for start in manifest.ranges(of: head) {
                let body = balanced(manifest[start.upperBound...])
                let strings = body.split(separator: "\"", omittingEmptySubsequences: false)
                // Every second piece is a quoted string; the piece before it tells what the string is.
                let quoted = stride(from: 1, to: strings.count, by: 2).map {
                    (before: strings[$0 - 1], text: strings[$0])
                }
                guard quoted.first?.text == room[...] else { continue }
                return quoted.dropFirst().filter { !$0.before.hasSuffix("package: ") }.map { String($0.text) }
            }
        }
        return nil
    }

    /// Returns the text up to the parenthesis that matches the one before it.
    private static func balanced(_ text: Substring) -> Substring {
        var depth = 1
        for index in text.indices {
            if text[index] == "(" { depth += 1 }
            if text[index] == ")" { depth -= 1 }
            if depth == 0 { return text[..<index] }
        }
        return text
    }
}
