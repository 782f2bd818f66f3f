#!/bin/sh
# t21-paripassu - integration 3 as a site: its settings, and its samples through the real commands
. "$(dirname "$0")/lib.sh"
. "$top/tests/site/life.sh"
map=$top/mappings/paripassu_totvs
in=$top/samples/paripassu_totvs/in
want=$top/samples/paripassu_totvs/expected

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

# The samples through the real commands, in the order that their README tells (t48: by watchers that are killed).
life_paripassu commands

# Changed in the ERP since: listed and chosen again, it is updated.
sed 's/;26,00;85,50;2223,00;/;30,00;85,50;2565,00;/' "$in/totvs_SC7.csv" > mudado.csv
drop mudado.csv "$site/inbox/SC7"
rm -r "$site"/outbox/rastreador/*
buscar
sed -E 's/^(0003(29|30|31);.*;)(\r)$/\1S\3/' "$(listed)" > escolha.csv
drop escolha.csv "$site"/inbox/selecao
come
check "S3-31: a purchase that the ERP changed is updated, the others are not sent again" \
    is "000329;30,00 000329;10,50" "$(cat "$site"/outbox/rastreador/rastreador_compras_*_1.csv | tail -n +2 | cut -d';' -f1,9 | tr '\n' ' ' | sed 's/ $//')"

# S3-37: all that was selected went through.
new_site good
cp "$in/mapeamento_produtos.csv" good/tables/
grep -E 'NumeroPedido|V-50[157]' "$in/rastreador_vendas.csv" > boas.csv
drop boas.csv good/inbox/vendas
run good
"$prog" do --dir good vendas send > send.out 2>&1
sed -n 5,6p "$want/mensagens.txt" > want.txt
check "S3-37 S3-38: the two success messages" same want.txt "$(one good/outbox/status 'mensagens_vendas_*')"

# The NF-e is a second source of purchase 000329.
new_site nfe
cp "$in/mapeamento_produtos.csv" nfe/tables/ && cp "$map/tables.test/itens.csv" nfe/tables/pedido_itens.csv
drop "$in/nfe_000001234.xml" nfe/inbox/nfe
run nfe
check "S3-1 S3-15: the purchase of an NF-e is listed" said "$(one nfe/outbox/rastreador 'lista_compras_*')" "000329;02/05/2024;Sítio Água Boa;2;2853,00;N;"
marked 000329 > escolha.csv
drop escolha.csv nfe/inbox/selecao
run nfe
check "S3-16 S3-25: and imported" said "$(one nfe/outbox/rastreador 'rastreador_compras_*')" \
    "000329;0001;02/05/2024;11222333000181;Sítio Água Boa;Tomate;Italiano;Caixa 20 kg;26,00;85,50;"
finish
