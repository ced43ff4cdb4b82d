internal import JSON

extension ConfigurationReader {
    /// The properties with which an object of a type is created, with QEMU's defaults, which the option omits.
    private static let makers: [String: [String: JSONValue]] = [
        "iothread": [
            "poll-max-ns": 32768, "poll-grow": 0, "poll-shrink": 0, "aio-max-batch": 0, "thread-pool-min": 0,
            "thread-pool-max": 64,
        ],
        "memory-backend-file": [
            "size": .null, "mem-path": .null, "share": false, "align": 0, "offset": 0, "merge": true, "dump": true,
            "policy": "default", "reserve": true, "readonly": false, "pmem": false,
            "x-use-canonical-path-for-ramblock-id": false,
        ],
        "memory-backend-ram": ["size": .null, "share": false],
        "memory-backend-memfd": ["size": .null, "share": true],
        "rng-random": ["filename": "/dev/urandom"],
        "rng-builtin": [:],
        "can-bus": [:],
        "tls-creds-anon": ["dir": .null, "endpoint": "client", "verify-peer": true, "priority": ""],
        "tls-creds-x509": [
            "dir": .null, "endpoint": "client", "verify-peer": true, "priority": "", "sanity-check": true,
        ],
        "authz-simple": ["identity": .null],
        "throttle-group": [:],
    ]

    /// Reads objects that were added by `object-add` or removed by `object-del`.
    mutating func readObjects() {
        let given = ids(of: "object")
        let running = Set(machine.objects.map(\.id))
        remove(.object, given.subtracting(running))
        for object in machine.objects where !given.contains(object.id) {
            // QEMU creates the memory of plain -m itself.
            if object.type.hasPrefix("memory-backend-"), isOwnMemory(object.id) { continue }
            addObject(object)
        }
    }

    /// Returns whether QEMU created the backend for `-m`, rather than an administrator.
    private func isOwnMemory(_ id: String) -> Bool {
        let line = result.commandLine
        let isNamed = line.options(named: "machine").contains { $0.properties?["memory-backend"] != nil }
        let isUsed = machine.devices.contains { device in
            device.properties.contains { $0.value.string == "/objects/\(id)" }
        }
        return !isNamed && !isUsed && (id.contains(".ram") || id == "ram")
    }

    private mutating func addObject(_ object: RunningMachine.Object) {
        guard let maker = Self.makers[object.type] else {
            return refuse(
                "object \(object.id) (\(object.type))", "QEMU does not report how an object of this kind was created")
        }
        var pairs = [(key: "qom-type", value: object.type), (key: "id", value: object.id)]
        for (name, usual) in maker.sorted(by: { $0.key < $1.key }) {
            guard let value = object.properties[name], value != usual, let text = value.optionText, !text.isEmpty else {
                continue
            }
            pairs.append((name, text))
        }
        if object.type == "throttle-group" {
            for (name, value) in (object.properties["limits"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
                guard let limit = value.integer, limit != (name.hasSuffix("-max-length") ? 1 : 0) else { continue }
                pairs.append(("x-\(name)", "\(limit)"))
            }
        }
        add("object", pairs, impliedKey: "qom-type")
    }
}

extension JSONValue {
    /// The value as QEMU accepts it in a list of options; nil if it has no such form.
    var optionText: String? {
        switch self {
        case .bool(let isOn): isOn ? "on" : "off"
        case .integer(let number): "\(number)"
        case .unsigned(let number): "\(number)"
        case .string(let text): text
        case .null, .number, .array, .object: nil
        }
    }
}
