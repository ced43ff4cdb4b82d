import Linux
import Testing

@Suite struct PathsTests {
    @Test(arguments: [
        ("/usr/bin/qemu", "/usr/bin"), ("/usr/bin/", "/usr"), ("/usr/bin//", "/usr"), ("/usr", "/"), ("/", "/"),
        ("name", "."), ("a/b", "a"),
    ])
    func parents(path: String, parent: String) {
        #expect(Paths.parent(of: path) == parent)
    }

    @Test(arguments: [("/usr/bin/qemu", "qemu"), ("/usr/bin/", "bin"), ("qemu", "qemu"), ("/", "/"), ("", "")])
    func names(path: String, name: String) {
        #expect(Paths.name(of: path) == name)
    }

    @Test(arguments: [
        ("/a/b", "/a/b"), ("b", "/folder/b"), ("./b", "/folder/b"), ("././b/c", "/folder/b/c"),
        ("../b", "/folder/../b"),
    ])
    func absolutePaths(path: String, absolute: String) {
        #expect(Paths.absolute(path, in: "/folder") == absolute)
        #expect(Paths.absolute(path, in: "/folder/") == absolute)
    }

    @Test(arguments: [("/a//b/./c/../d", "/a/b/d"), ("/../x", "/x"), ("/", "/")])
    func normalizedPaths(path: String, normalized: String) {
        #expect(Paths.normalized(path) == normalized)
    }

    @Test func ancestorsAreFoldersBelowTheRoot() {
        #expect(Array(Paths.ancestors(of: "/usr/local/bin/qemu")) == ["/usr/local/bin", "/usr/local", "/usr"])
        #expect(Array(Paths.ancestors(of: "/qemu")) == [])
        #expect(Array(Paths.ancestors(of: "qemu")) == [])
    }
}
