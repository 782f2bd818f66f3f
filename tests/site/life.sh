# life.sh - the samples of integrations 0 and 3 from the first file to the last, step by step, and who does the steps.
# Source it behind lib.sh:
#
#   life_ovotrack HOW; life_paripassu HOW
#
# HOW is  commands  each command does its work itself, nobody watches
#         watcher   a watcher does it and ends in good order after each step
#         killed    a watcher does it and is killed, with its workers, after each step
#         torn      a watcher is killed, with its workers, in the middle of each step; the next one finishes it
samples=$top/samples torn_at=0
counts=''                               # a step that takes numbers is not torn: a number may be lost then, and the files differ

# The watcher and its workers at once, as when the power goes.
strike() { kill -KILL "$watcher" $(ps -o pid= --ppid "$watcher") 2> /dev/null; wait "$watcher" 2> /dev/null; }
begin_step() { [ "$how" = commands ] || watch "$site" -q; }
end_step() {
    [ "$how" = commands ] || wait_for 60 settled || result 1 "$how: it comes to rest"
    case $how in watcher) stop ;; killed | torn) strike ;; esac
}
tear() {                                # 5, 20, 35 … 95 ms after the step began: another moment in each step
    [ "$how" = torn ] && [ -z "$counts" ] || return 0
    torn_at=$(((torn_at + 15) % 100))
    sleep "0.0$(printf %02d $((torn_at + 5)))" 2> /dev/null || sleep 0.05
    strike
    watch "$site" -q --standby          # the command may have taken the site meanwhile
}
ask() {                                 # VERB OPTION...: its exit code is $code
    op=$1
    shift
    begin_step
    "$prog" "$op" --dir "$site" "$@" > ask.out 2> ask.log < /dev/null &
    asked=$!
    tear
    wait "$asked"
    code=$?
    end_step
}
at_rest() {                             # nothing lies in an inbox, nothing is asked, due or under way
    [ -z "$(find "$site/inbox" "$site/.waybill/requests" -type f 2> /dev/null)$(ls "$site/.waybill/claim" 2> /dev/null)" ] || return 1
    for b in "$site"/.waybill/work/*; do
        [ -e "$b" ] || continue
        { cat "$b/$(basename "$b").waybill.json" > at-rest.json; } 2> /dev/null || return 1
        [ "$(json waits < at-rest.json 2> /dev/null)" = open ] || return 1
        [ -z "$(json due < at-rest.json 2> /dev/null)" ] || return 1
    done
}
asleep() {                              # the watcher and its workers wait for something to happen
    for p in "$watcher" $(cat /proc/"$watcher"/task/*/children 2> /dev/null); do
        case $(sed 's/.*) //; s/ .*//' "/proc/$p/stat" 2> /dev/null) in S) ;; *) return 1 ;; esac
    done
}
settled() { at_rest && sleep 0.2 && asleep && at_rest; }    # what follows by itself has followed
come() {                                # what lies in the inboxes is taken
    case $how in commands) run "$site" -q; return ;; esac
    begin_step
    tear
    end_step
}
sample_site() {                         # INTEGRATION: ready to be used, files count as complete at once
    site=$tmp/$1-$how
    "$prog" init --from "$top/mappings/$1" "$site" > /dev/null && sed -i 's/stable 5s/stable 0s/' "$site/site.conf"
}
rest_of() {                             # what every life leaves
    check "$how: nothing is left of requests" is '' "$(ls "$site/.waybill/requests")"
    check "$how: fsck finds nothing" sound "$site"
}

# --- CONNECT and Ovotrack ---------------------------------------------------------------------------------------------

# The steps say local times of New York in summer; the clock is given in UTC.
at() { WAYBILL_CLOCK=$(date -u -d "$1 EDT" +%Y-%m-%dT%H:%M:%SZ) && export WAYBILL_CLOCK; }
masters() {                             # LOCATIONS
    drop "$in/divisions.csv" "$site/inbox/divisions" "divisions-$1"
    drop "$in/$1" "$site/inbox/locations"
    drop "$in/items.csv" "$site/inbox/items" "items-$1"
    come
}
# The view of the batch now, and what is in a folder, under names without the batch: then the folder is empty again.
view() {                                # WANT
    ask do order-sync view
    same "$want/$1" "$(one "$site/outbox/log" '*_staged*.csv')" || return 1
    mv "$(one "$site/outbox/log" '*_messages*.csv')" messages.csv
    rm -f "$site"/outbox/log/*
}
taken() {                               # WANT FOLDER PATTERN
    same "$want/$1" "$(one "$site/outbox/$2" "$3")" && rm "$site/outbox/$2"/*
}

life_ovotrack() {                       # HOW
    how=$1 in=$samples/ovotrack/in want=$samples/ovotrack/expected
    sample_site ovotrack || { result 1 "$how: make the site"; return; }
    at '2024-08-01 15:00:00'
    masters customer_locations_0801.csv
    drop "$in/erp_orders_20240801.csv" "$site/inbox/orders"
    counts=yes
    ask create --since 2024-07-31
    counts=''
    batch=$(ls "$site/.waybill/work")
    check "$how: S0-24 lines left out are told" taken 1_not_staged.csv log '*_not_staged.csv'
    check "$how: S0-19 New Batch stages what meets the criteria" view 1_staged.csv
    at '2024-08-01 15:05:00'
    ask send
    check "$how: S0-25 Send Batch gives a file" taken 2_ovotrack_orders_1.xml ovotrack '*.xml'
    check "$how: S0-27 and stamps the lines" view 2_after_send_1.csv
    at '2024-08-02 07:30:00'
    drop "$in/ovotrack_updates_1.xml" "$site/inbox/ovotrack"
    ask receive
    check "$how: S0-34 Receive Updates" view 3_after_receive_1.csv
    at '2024-08-02 08:00:00'
    drop "$in/erp_orders_update_20240802.csv" "$site/inbox/orders"
    ask update
    check "$how: S0-52 Update From Source" view 4_after_update_from_source.csv
    at '2024-08-02 08:10:00'
    masters customer_locations_0802.csv
    ask send
    check "$how: S0-58 the next Send Batch gives what is new or changed" taken 4_ovotrack_orders_2.xml ovotrack '*.xml'
    check "$how: and stamps it" view 4_after_send_2.csv
    at '2024-08-02 12:00:00'
    drop "$in/ovotrack_updates_2.xml" "$site/inbox/ovotrack"
    ask receive
    check "$how: S0-42 a second answer" view 5_after_receive_2.csv
    at '2024-08-02 13:00:00'
    ask commit
    check "$how: S0-44 Commit gives what was received" taken 6_erp_commit.csv erp '*.csv'
    check "$how: S0-45 and stamps it" view 6_after_commit.csv
    check "$how: S0-28 all messages, in the order of their coming" same "$want/commit_messages.csv" messages.csv
    check "$how: one batch stays, its answers and their files are in the archive" is "1 $batch" \
        "$(ls "$site/.waybill/work" | wc -l) $(ls "$site/.waybill/work")"
    rest_of
    unset WAYBILL_CLOCK
}

# --- PariPassu and TOTVS ----------------------------------------------------------------------------------------------

nth() { find "$site/outbox" -name "$1_*_$2.*"; }
listed() { one "$site/outbox/rastreador" 'lista_compras_*.csv'; }
buscar() { ask do --set de=2024-05-01 --set ate=2024-05-15 compras create; }
sincronizar() { counts=yes; ask do vendas send; counts=''; }
marked() { head -1 "$in/selecao_confirmada.csv"; grep "^$1" "$in/selecao_confirmada.csv"; }
codes() { tail -n +2 "$2" | cut -d';' -f"$1" | tr -d '\r' | sort -u | tr '\n' ' ' | sed 's/ $//'; }

life_paripassu() {                      # HOW
    how=$1 in=$samples/paripassu_totvs/in want=$samples/paripassu_totvs/expected
    map=$top/mappings/paripassu_totvs
    sample_site paripassu_totvs || { result 1 "$how: make the site"; return; }
    cp "$in"/totvs_S[AMB]?.csv "$map/tables.test/tipos.csv" "$map/tables.test/embalagens.csv" "$in/mapeamento_produtos.csv" \
        "$in/historico_envios.csv" "$site/tables/"

    # 000340 was imported by an earlier run.
    { head -1 "$in/totvs_SC7.csv"; grep -a ';000340;' "$in/totvs_SC7.csv"; } > antes.csv
    marked 000340 > escolha.csv
    drop antes.csv "$site/inbox/SC7"
    buscar
    drop escolha.csv "$site/inbox/selecao"
    come
    check "$how: S3-26 imported by an earlier run" said "$(nth status_compras 1)" "000340;AZUL"
    rm -r "$site"/outbox/rastreador/* "$site"/outbox/status/*

    drop "$in/totvs_SC7.csv" "$site/inbox/SC7"
    buscar
    check "$how: S3-10 S3-11 S3-15 S3-18 the list of the period" same "$want/lista_compras.csv" "$(listed)"
    drop "$in/selecao_confirmada.csv" "$site/inbox/selecao"
    come
    check "$how: S3-16 S3-25 what was chosen is imported" same "$want/rastreador_compras.csv" "$(nth rastreador_compras 1)"
    check "$how: S3-26 S3-27 S3-28 blue and yellow" same "$want/status_compras.csv" "$(nth status_compras 1)"
    sed -n 1p "$want/mensagens.txt" > want.txt
    check "$how: S3-32 how many of each" same want.txt "$(nth mensagens_compras 1)"

    # S3-21, S3-28: the missing mapping comes, and the purchase goes on by itself; no blue one is doubled (S3-31).
    printf '\357\273\277ProdutoTOTVS;TipoProduto;Variedade;Embalagem;Preferido\r\n%s\r\n' '20105000000100;Alface;Crespa;Unidade;S' > alface.csv
    drop alface.csv "$site/inbox/mapeamento"
    come
    check "$how: S3-21 S3-28 what waited for the mapping is imported by itself" is "000337;0001 000337;0002" \
        "$(codes 1,2 "$(nth rastreador_compras 2)")"
    check "$how: S3-28 S3-31 it is blue now, the blue ones stay" said "$(nth status_compras 2)" "000337;AZUL;" \
        "000329;AZUL;Pedido 000329 já sincronizado."

    sed 's/20105000000100;Alface.*//' "$site/tables/mapeamento_produtos.csv" | grep . > m.csv && mv m.csv "$site/tables/mapeamento_produtos.csv"
    drop "$in/rastreador_vendas.csv" "$site/inbox/vendas"
    come
    check "$how: S3-34 nothing goes before the sync button" is "" "$(find "$site/outbox" -name 'totvs_*')"
    sincronizar
    check "$how: S3-41 S3-43 S3-44 S3-46 S3-50 S3-51 the ERP's sales orders" same "$want/totvs_SC5_SC6.csv" "$(nth totvs_SC5_SC6 1)"
    check "$how: S3-39 S3-40 S3-42 blue and yellow" same "$want/status_vendas.csv" "$(nth status_vendas 1)"
    sed -n 2p "$want/mensagens.txt" > want.txt
    check "$how: S3-38 how many did not go" same want.txt "$(nth mensagens_vendas 1)"

    # S3-35: prices are entered in the file that the batch gives, and the sale goes.
    ask do vendas informacoes
    sed -E 's/(V-502.*;Saco 20 kg;2;);/\142,00;/; s/(V-502.*;Caixa 18 kg;1;)0,00/\199,90/' \
        "$(one "$site/outbox/rastreador" 'informacoes_da_venda_*')" > precos.csv
    drop precos.csv "$site/inbox/precos"
    come
    sincronizar
    check "$how: S3-35 S3-36 with its prices the sale goes, alone" is "000884;V-502" "$(codes 1,16 "$(nth totvs_SC5_SC6 2)")"
    sincronizar
    check "$how: S3-42 what went does not go again" is "" "$(nth totvs_SC5_SC6 3)"

    # S3-45: TOTVS refuses it, and it may go again.
    printf 'C6_PEDCLI;ERRO\r\nV-501;\r\nV-502;Cliente sem limite\r\n' > resposta.csv
    drop resposta.csv "$site/inbox/resultado"
    come
    newest() { find "$site/outbox/status" -name 'status_vendas_*' | sort -V | tail -1; }
    check "$how: S3-45 TOTVS's own words" said "$(newest)" "V-502;AMARELO;Cliente sem limite;000884" "V-501;AZUL;;000881"
    sincronizar
    check "$how: S3-40 solved, it goes again under a new number" said "$(newest)" "V-502;AZUL;;000885"
    rest_of
}
