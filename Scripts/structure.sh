#!/usr/bin/env bash
# Checks what the compiler does not: who imports whom, what a child links, and a few house rules.
set -euo pipefail
cd "$(dirname "$0")/.."
. Scripts/common.sh

failures=0
fail() {
    echo "structure: $*" >&2
    failures=$((failures + 1))
}

# What each module may import of this package: only what lies below it. JSONCodec alone knows json-c; Wire and JSONCodec
# are values that know no descriptor, lock or thread.
allowed_modules() {
    case $1 in
    ForkCluster) echo "Fork Messaging Reactor Wire JSONCodec" ;;
    Fork) echo "Messaging Reactor Wire JSONCodec" ;;
    Messaging) echo "Reactor Wire JSONCodec" ;;
    Reactor) echo "CLinux" ;;
    Wire) echo "JSONCodec" ;;
    JSONCodec) echo "CJSON" ;;
    CJSON | CLinux) echo "" ;;
    *) return 1 ;;
    esac
}

# What each may import of others. No Foundation and no NIO: a child pays for both at every start.
allowed_libraries() {
    case $1 in
    Wire) echo "DequeModule" ;;
    JSONCodec) echo "" ;;
    *) echo "Synchronization SystemPackage DequeModule HeapModule OrderedCollections Logging" ;;
    esac
}

# The C library and CLinux belong to one folder, whose files have the platform in their names.
may_use_platform() {
    case $1 in
    Sources/Reactor/Linux/*+Linux.swift) return 0 ;;
    *) return 1 ;;
    esac
}

# "file module" for each import of the files whose names it reads.
imports() {
    tr '\n' '\0' | xargs -0 awk '
        {
            line = $0
            sub(/\/\/.*/, "", line)
            count = split(line, part, ";")
            for (i = 1; i <= count; i++) {
                text = part[i]
                gsub(/@[A-Za-z_]+(\([^)]*\))?/, "", text)
                words = split(text, word, " ")
                at = 1
                if (word[at] ~ /^(public|package|internal|private|fileprivate)$/) at++
                if (words <= at || word[at] != "import") continue
                at++
                if (word[at] ~ /^(enum|struct|class|protocol|func|var|let|typealias|actor)$/) at++
                name = word[at]
                sub(/\..*/, "", name)
                print FILENAME, name
            }
        }'
}

contains() {
    case " $1 " in *" $2 "*) return 0 ;; *) return 1 ;; esac
}

echo "structure: imports" >&2
modules=$(cd Sources && printf '%s ' *)
for module in $modules; do
    own=$(allowed_modules "$module") || {
        fail "Sources/$module is a module that Scripts/structure.sh knows no rule for"
        continue
    }
    files=$(find "Sources/$module" -name '*.swift')
    [ -n "$files" ] || continue
    while read -r file name; do
        case $name in
        Glibc | Musl | Darwin | CLinux)
            may_use_platform "$file" ||
                fail "$file imports $name, which is for the files of Sources/Reactor/Linux"
            [ "$name" != CLinux ] || contains "$own" CLinux || fail "$file imports CLinux, which $module may not"
            ;;
        *)
            if contains "$modules" "$name"; then
                contains "$own" "$name" || fail "$file imports $name, which does not lie below $module"
            else
                contains "$(allowed_libraries "$module")" "$name" ||
                    fail "$file imports $name, which $module may not"
            fi
            ;;
        esac
    done < <(echo "$files" | imports)
done

echo "structure: annotations" >&2
while IFS=: read -r file line _; do
    # The line itself is not counted: it holds the declaration.
    first=$((line > 2 ? line - 2 : 1))
    sed -n "${first},$((line - 1))p;$((line + 1)),$((line + 2))p" "$file" | grep -q '//' ||
        fail "$file:$line is @unchecked Sendable, and no comment beside it says why that holds"
done < <(grep -rn '@unchecked Sendable' Sources --include='*.swift' | grep -vE '^[^:]*:[0-9]+: *//' || true)

while IFS=: read -r file line _; do
    fail "$file:$line is nonisolated(unsafe)"
done < <(grep -rnF 'nonisolated(unsafe)' Sources --include='*.swift' || true)

echo "structure: what does not belong into the repository" >&2
# This file is left out: it names what it looks for.
listed=$(mktemp)
trap 'rm -f "$listed"' EXIT
git ls-files -z --cached --others --exclude-standard -- . ':!Scripts/structure.sh' |
    xargs -0 sh -c 'for file; do if [ -f "$file" ]; then printf "%s\0" "$file"; fi; done' sh > "$listed"
while IFS= read -r finding; do
    fail "a path of one machine: $finding"
done < <(xargs -0 grep -nIHE '(^|[^A-Za-z0-9._~/-])/((work|root)(/|[^A-Za-z0-9_-]|$)|tmp/t)' < "$listed" | cut -c1-200 || true)
while IFS= read -r finding; do
    fail "unfinished: $finding"
done < <(xargs -0 grep -nIHwE 'TODO|FIXME' < "$listed" | cut -c1-200 || true)
while IFS= read -r file; do
    fail "$file is tracked, but is made by a build"
done < <(git ls-files | grep -E '(^|/)(\.build[^/]*/|Package\.resolved$|fuzz-corpus/)' || true)

# As in demo.sh.
example=(--package-path Examples/ParentChild --scratch-path .build-examples/ParentChild --disable-build-manifest-caching)
quietly "structure: build" swift build
quietly "structure: build the example" swift build "${example[@]}"
echo "structure: the folders of Fork" >&2
# Which of them each compiles with, besides itself. Without Parent, `ChildProcess` is a name and nothing else.
folders=$(mktemp -d)
trap 'rm -rf "$listed" "$folders"' EXIT
echo 'public final class ChildProcess: Sendable {}' > "$folders/ChildProcess.swift"
products=$(swift build --show-bin-path)
read -ra json_flags <<< "$(pkg-config --cflags json-c)"
compiles() {
    local files=(Sources/Fork/Exports.swift)
    while IFS= read -r -d '' file; do files+=("$file"); done < <(
        for folder; do find "Sources/Fork/$folder" -name '*.swift' -print0; done)
    case " $* " in *" Parent "*) ;; *) files+=("$folders/ChildProcess.swift") ;; esac
    # The package has the name of its directory, as an identifier.
    swiftc -typecheck -module-name Fork -swift-version 6 \
        -package-name "$(basename "$PWD" | tr '[:upper:]' '[:lower:]' | tr -c '[:alnum:]\n' '_')" \
        -enable-upcoming-feature ExistentialAny -enable-upcoming-feature MemberImportVisibility \
        -enable-upcoming-feature InternalImportsByDefault -enable-upcoming-feature NonisolatedNonsendingByDefault \
        -I "$products/Modules" -I .build/checkouts/swift-system/Sources/CSystem/include \
        -Xcc -fmodule-map-file="$products/CLinux.build/module.modulemap" \
        -Xcc -fmodule-map-file=Sources/CJSON/module.modulemap "${json_flags[@]}" "${files[@]}" \
        > "$folders/errors" 2>&1 && return
    grep -E '^[^ ].* error: ' "$folders/errors" | sort -u >&2
    fail "of Sources/Fork, $* must compile without the other folders"
}
compiles Shared
compiles Shared Pipes
compiles Shared Pipes Parent
compiles Shared Pipes Child

echo "structure: what the children link" >&2
for child in "$(swift build --show-bin-path)/fixture-child" "$(swift build "${example[@]}" --show-bin-path)/child"; do
    libraries=$(ldd "$child") || { fail "$child was not built"; continue; }
    if echo "$libraries" | grep -qE 'Foundation|NIO'; then
        fail "$child links $(echo "$libraries" | grep -oE 'lib[A-Za-z_]*(Foundation|NIO)[A-Za-z_]*\.so' | sort -u | tr '\n' ' ')"
    fi
    # Also what is linked into the program itself.
    if nm "$child" 2> /dev/null | grep -qE ' [Tt] \$s(10Foundation|20FoundationEssentials|7NIOCore)'; then
        fail "$child contains Foundation or NIO"
    fi
done

if [ "$failures" -gt 0 ]; then
    echo "structure: $failures findings" >&2
    exit 1
fi
echo "structure: as it should be" >&2
