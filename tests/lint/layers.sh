#!/bin/sh
# layers.sh - each include line of src/ and include/ against layers.txt
cd "$(dirname "$0")/../.." || exit 2
{ cat tests/lint/layers.txt; echo "--"; grep -rnE '^[[:space:]]*#[[:space:]]*include' src include --include=*.c --include=*.h; } | awk '
function glob(pattern, text) {
    gsub(/[.+]/, "\\\\&", pattern); gsub(/\*/, ".*", pattern)
    return text ~ ("^" pattern "$")
}
function bad(text) { printf "%s:%s: %s\n", file, line, text; n++ }
function layer_of(path) { sub(/^(src|include)\//, "", path); return path ~ /\// ? substr(path, 1, index(path, "/") - 1) : "" }
function library(header,    i, p, k) {
    for (i = 1; i <= nlib; i++) {
        if (!glob(lib[i], header)) continue
        k = split(files[i], p, " ")
        while (k) if (glob(p[k--], file)) return
        bad("<" header "> belongs to " files[i] "; call their functions instead (layers.txt)")
        return
    }
    for (i = 1; i <= nlibc; i++) if (glob(libc[i], header)) return
    bad("<" header "> is in no line of layers.txt: say there which file may include it")
}
function ours(header,    mine, other, found) {
    if (header == "waybill.h") return
    mine = layer_of(file); other = layer_of("src/" header)
    # "lex.h": a private neighbour in the same folder.
    if (other == "") {
        found = file; sub(/[^\/]*$/, header, found)
        if ((getline junk < found) < 0) bad("there is no " found)
        close(found)
        return
    }
    found = (getline junk < ("include/" header)) >= 0; close("include/" header)
    if (!found && (getline junk < ("src/" header)) >= 0) {
        close("src/" header)
        if (mine != other) bad("\"" header "\" is private to layer " other)
        return
    }
    if (!found) bad("there is no " header)
    if (!(other in rank)) { bad("\"" header "\": write \"layer/module.h\""); return }
    if (mine == "" || mine == other || (mine SUBSEP header) in allowed) return
    if (rank[other] > rank[mine]) bad("layer " mine " may not include the higher layer " other " (" header ")")
    else if (rank[other] == rank[mine]) bad("layer " mine " may not include its sibling " other " (" header ")")
}
/^#/ && !tree || /^$/ { next }
/^--$/ { tree = 1; next }
!tree && $1 == "layer" { rank[$2] = $3; next }
!tree && $1 == "allow" { allowed[$2, $3] = 1; next }
!tree && $1 == "lib" { lib[++nlib] = $2; for (i = 3; i <= NF; i++) files[nlib] = files[nlib] (i > 3 ? " " : "") $i; next }
!tree && $1 == "libc" { for (i = 2; i <= NF; i++) libc[++nlibc] = $i; next }
!tree { print "tests/lint/layers.txt:" NR ": unknown line: " $0; n++; next }
{
    split($0, part, ":"); file = part[1]; line = part[2]
    if (match($0, /<[^>]*>/)) library(substr($0, RSTART + 1, RLENGTH - 2))
    else if (match($0, /"[^"]*"/)) { h = substr($0, RSTART + 1, RLENGTH - 2); if (h !~ /\.def$/) ours(h) }
}
END { print n ? "not ok lint/layers (" n " findings)" : "ok lint/layers"; exit n > 0 }'
