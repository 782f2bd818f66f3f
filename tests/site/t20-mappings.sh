#!/bin/sh
# t20-mappings - the mappings that waybill ships: no error, all cases, all mutants killed, the laws on every sample, and what
# one conversion gives of the samples' expected files; tests/lint/requirements.sh says where each requirement is shown
set -u
waybill=$(realpath "${1:-build/release/waybill}")
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top" || exit 1
export LC_ALL=C WAYBILL_CLOCK=2026-01-02T03:04:05Z
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
bad=0

result() {                              # STATUS NAME
    if [ "$1" -eq 0 ]; then
        echo "ok $2"
    else
        echo "not ok $2"
        sed 's/^/# /' "$tmp/out"
        bad=1
    fi
}

"$waybill" check mappings > "$tmp/out" 2>&1
result $? "waybill check mappings"

"$waybill" fmt --list mappings/*/*.map mappings/*/*.format mappings/*/site.conf > "$tmp/out" 2>&1
result $? "the files are laid out as fmt does"

"$waybill" test --mutants mappings > "$tmp/out" 2>&1
result $? "cases and mutants: $(tail -2 "$tmp/out" | tr '\n' ' ')"

laws() {                                # MAPPING SAMPLE OPTION ...
    map=$1 sample=$2
    shift 2
    "$waybill" laws "$m/$map" "$@" "$sample" > "$tmp/out" 2>&1
    result $? "laws: $(head -1 "$tmp/out") (${sample##*/})"
    grep -q 'PutGet' "$tmp/out" && ! grep -q 'PutGet.* 0 values' "$tmp/out"
    result $? "laws: $map compared something"
}
m=mappings/24so-ongoing
in=samples/ongoing24so/in
laws articles.map $in/24so_products.xml --set goods-owner=NORDISK
laws sales-orders.map $in/24so_orders.xml --case $m/sales-orders.test/sample/case.conf
laws suppliers.map $in/24so_companies.xml --set goods-owner=NORDISK
laws order-sent.map $in/ongoing_shipped.csv --case $m/order-sent.test/sample/case.conf
m=mappings/despatch
laws despatch-advice.map $m/despatch-advice.test/sample/in.jsonl --set supplier=ACME
m=mappings/paripassu_totvs
laws vendas.map samples/paripassu_totvs/in/rastreador_vendas.csv
laws lista.map $m/buscar.test/S3-11-periodo/want.jsonl --case $m/lista.test/S3-15-lista/case.conf

# What the cases want is what the samples expect.
expected=samples/paripassu_totvs/expected
want() {                                # FILE CASE/FILE: the same bytes
    cmp "$1" "$m/$2" > "$tmp/out" 2>&1
    result $? "$2 is the sample's ${1##*/}"
}
want $expected/lista_compras.csv lista.test/S3-15-lista/want.csv
want $expected/rastreador_compras.csv importar.test/S3-16-importar/want.csv
want $expected/status_compras.csv status-compras.test/S3-26-azul-e-amarelo/want.csv
want $expected/totvs_SC5_SC6.csv enviar.test/S3-34-vendas/want.csv
want $expected/status_vendas.csv status-vendas.test/S3-39-azul-e-amarelo/want.csv
sed -n 1p $expected/mensagens.txt > "$tmp/want"
want "$tmp/want" resumo-compras.test/S3-32-resumo/want.txt
sed -n 2p $expected/mensagens.txt > "$tmp/want"
want "$tmp/want" resumo-vendas.test/S3-38-resumo/want.txt
sed -n 5,6p $expected/mensagens.txt > "$tmp/want"
want "$tmp/want" resumo-vendas.test/S3-37-todos/want.txt
m=mappings/raks_baselinker expected=samples/raks_baselinker/expected
want $expected/raks_statusy.csv statusy.test/S4-30-sample/want.csv
want $expected/konsola.log konsola.test/S4-19-sample/want.log
grep File $expected/bl_requests.jsonl > "$tmp/want"
want "$tmp/want" attach.test/S4-24-sample/want.jsonl
grep setOrderFields $expected/bl_requests.jsonl > "$tmp/want"
want "$tmp/want" number.test/S4-36-sample/want.jsonl
grep -E '"add(Invoice|Receipt)"' $expected/bl_requests.jsonl > "$tmp/want"
want "$tmp/want" issue.test/S4-21-sample/want.jsonl
exit $bad
