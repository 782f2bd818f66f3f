#!/bin/sh
# t21-paripassu - integration 3 as a site: what its settings, registers and product mapping do
. "$(dirname "$0")/lib.sh"
map=$top/mappings/paripassu_totvs
in=$top/samples/paripassu_totvs/in

new_site() {                            # NAME [SED SCRIPT for site.conf]
    "$prog" init "$1" --from "$map" > /dev/null || return 1
    cp "$in"/totvs_S[AMB]?.csv "$map/tables.test/tipos.csv" "$map/tables.test/embalagens.csv" "$1/tables/"
    sed -i "s/stable 5s/stable 0s/; ${2-}" "$1/site.conf"
}

# S3-3: without the permission nothing runs, and the user is told whom to ask.
new_site off '/^flow compras/,/on yes/s/on yes/on no/'
drop "$in/totvs_SC7.csv" off/inbox/SC7
"$prog" do --dir off --set de=2024-05-01 --set ate=2024-05-15 compras create > off.out 2>&1
check "S3-3: the permission is missing: exit code" is 3 $?
check "S3-3: the message points to Customer Success" said off.out \
    "Integração não habilitada. Entre em contato com o time de Sucesso do Cliente."
check "S3-3: nothing was read" [ -f off/inbox/SC7/totvs_SC7.csv ]

# S3-5: url and user are asked for before anything else is switched on (nfe has no need of them, buscar is by hand).
new_site set 's/^set documento.*//'
"$prog" check set/site.conf > set.out 2>&1
check "S3-7: the own document is a setting that must be there" said set.out documento SITE_PARAM

# S3-21, S3-22: the mapping is kept, merged by product; what names no registered type or packaging is refused.
new_site map
drop "$in/mapeamento_produtos.csv" map/inbox/mapeamento
run map
check "S3-21: the mapping is a table now" same "$in/mapeamento_produtos.csv" map/tables/mapeamento_produtos.csv
printf '\357\273\277ProdutoTOTVS;TipoProduto;Variedade;Embalagem;Preferido\r\n%s\r\n%s\r\n' \
    '20105000000100;Alface;Crespa;Unidade;S' '20106000000100;Nada;;Unidade;S' > more.csv
drop more.csv map/inbox/mapeamento
run map
check "S3-22: one row is refused" is 1 "$code"
{
    cat "$in/mapeamento_produtos.csv"
    printf '20105000000100;Alface;Crespa;Unidade;S\r\n'
} > want.csv
check "S3-21, S3-22: the other is added, nothing else changes" same want.csv map/tables/mapeamento_produtos.csv
finish
