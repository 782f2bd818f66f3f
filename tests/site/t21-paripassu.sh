#!/bin/sh
# t21-paripassu - integration 3 as a site: its settings, and its samples through the real commands
. "$(dirname "$0")/lib.sh"
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

# The samples through the real commands, in the order that their README tells.
new_site all
cp "$in/mapeamento_produtos.csv" "$in/historico_envios.csv" all/tables/
list() { one all/outbox/rastreador 'lista_compras_*.csv'; }
nth() { find all/outbox -name "$1_*_$2.*"; }
create() { "$prog" do --dir all --set de=2024-05-01 --set ate=2024-05-15 compras create > create.out 2>&1; }
marked() { head -1 "$in/selecao_confirmada.csv"; grep "^$1" "$in/selecao_confirmada.csv"; }

# 000340 was imported by an earlier run.
{ head -1 "$in/totvs_SC7.csv"; grep -a ';000340;' "$in/totvs_SC7.csv"; } > antes.csv
marked 000340 > escolha.csv
drop antes.csv all/inbox/SC7
create
drop escolha.csv all/inbox/selecao
run all
check "S3-26: imported by an earlier run" said "$(nth status_compras 1)" "000340;AZUL"
rm -r all/outbox/rastreador/* all/outbox/status/*

drop "$in/totvs_SC7.csv" all/inbox/SC7
create
check "S3-10 S3-11 S3-15 S3-18: the list of the period" same "$want/lista_compras.csv" "$(list)"
drop "$in/selecao_confirmada.csv" all/inbox/selecao
run all
check "S3-16 S3-25: what was chosen is imported" same "$want/rastreador_compras.csv" "$(nth rastreador_compras 1)"
check "S3-26 S3-27 S3-28: blue and yellow" same "$want/status_compras.csv" "$(nth status_compras 1)"
sed -n 1p "$want/mensagens.txt" > want.txt
check "S3-32: how many of each" same want.txt "$(nth mensagens_compras 1)"

# S3-21, S3-28: the missing mapping comes, and the purchase goes on by itself; no blue one is doubled (S3-31).
printf '\357\273\277ProdutoTOTVS;TipoProduto;Variedade;Embalagem;Preferido\r\n%s\r\n' '20105000000100;Alface;Crespa;Unidade;S' > alface.csv
drop alface.csv all/inbox/mapeamento
run all
check "S3-21 S3-28: what waited for the mapping is imported by itself" \
    is "000337;0001 000337;0002" "$(tail -n +2 "$(nth rastreador_compras 2)" | cut -d';' -f1,2 | tr '\n' ' ' | sed 's/ $//')"
check "S3-28 S3-31: it is blue now, the blue ones stay" said "$(nth status_compras 2)" "000337;AZUL;" "000329;AZUL;Pedido 000329 já sincronizado."

# Changed in the ERP since: listed and chosen again, it is updated.
sed 's/;26,00;85,50;2223,00;/;30,00;85,50;2565,00;/' "$in/totvs_SC7.csv" > mudado.csv
drop mudado.csv all/inbox/SC7
rm -r all/outbox/rastreador/*
create
sed -E 's/^(0003(29|30|31);.*;)(\r)$/\1S\3/' "$(list)" > escolha.csv
drop escolha.csv all/inbox/selecao
run all
check "S3-31: a purchase that the ERP changed is updated, the others are not sent again" \
    is "000329;30,00 000329;10,50" "$(cat all/outbox/rastreador/rastreador_compras_*_1.csv | tail -n +2 | cut -d';' -f1,9 | tr '\n' ' ' | sed 's/ $//')"

send() { "$prog" do --dir all vendas send > send.out 2>&1; }
sed 's/20105000000100;Alface.*//' all/tables/mapeamento_produtos.csv | grep . > m.csv && mv m.csv all/tables/mapeamento_produtos.csv
drop "$in/rastreador_vendas.csv" all/inbox/vendas
run all
check "S3-34: nothing goes before the sync button" is "" "$(find all/outbox -name 'totvs_*')"
send
check "S3-41 S3-43 S3-44 S3-46 S3-50 S3-51: the ERP's sales orders" same "$want/totvs_SC5_SC6.csv" "$(nth totvs_SC5_SC6 1)"
check "S3-39 S3-40 S3-42: blue and yellow" same "$want/status_vendas.csv" "$(nth status_vendas 1)"
sed -n 2p "$want/mensagens.txt" > want.txt
check "S3-38: how many did not go" same want.txt "$(nth mensagens_vendas 1)"

# S3-35: prices are entered in the file that the batch gives, and the sale goes.
"$prog" do --dir all vendas informacoes > informacoes.out 2>&1
sed -E 's/(V-502.*;Saco 20 kg;2;);/\142,00;/; s/(V-502.*;Caixa 18 kg;1;)0,00/\199,90/' "$(one all/outbox/rastreador 'informacoes_da_venda_*')" > precos.csv
drop precos.csv all/inbox/precos
run all
send
check "S3-35 S3-36: with its prices the sale goes, alone" is "000884 V-502" \
    "$(tail -n +2 "$(nth totvs_SC5_SC6 2)" | tr -d '\r' | cut -d';' -f1,16 | tr ';' ' ' | sort -u)"
send
check "S3-42: what went does not go again" is "" "$(nth totvs_SC5_SC6 3)"

# S3-45: TOTVS refuses it, and it may go again.
printf 'C6_PEDCLI;ERRO\r\nV-501;\r\nV-502;Cliente sem limite\r\n' > resposta.csv
drop resposta.csv all/inbox/resultado
run all
newest() { find all/outbox/status -name 'status_vendas_*' | sort -V | tail -1; }
check "S3-45: TOTVS's own words" said "$(newest)" "V-502;AMARELO;Cliente sem limite;000884" "V-501;AZUL;;000881"
send
check "S3-40: solved, it goes again under a new number" said "$(newest)" "V-502;AZUL;;000885"

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
