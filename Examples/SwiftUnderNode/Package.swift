// swift-tools-version: 6.2

import PackageDescription

let package = Package(
    name: "swift-under-node",
    dependencies: [
        // Elsewhere: .package(url: "…/swift-fork", from: "…")
        .package(name: "swift-fork", path: "../..")
    ],
    targets: [
        .executableTarget(name: "primes", dependencies: [.product(name: "Fork", package: "swift-fork")])
    ]
)
