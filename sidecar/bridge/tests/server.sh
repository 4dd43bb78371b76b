# An MCP server on standard input and output, as small as one can be. Tests send compact JSON with sorted keys.
held=
while IFS= read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/^{"id":\([^,]*\),.*/\1/p')
  text() { printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"%s"}]}}\n' "$1" "$2"; }
  case "$line" in
    *'"method":"initialize"'*'"refuse"'*) exit 3 ;;
    *'"method":"initialize"'*)
      echo "starting" >&2
      printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"sh","version":"1"}}}\n' "$id" ;;
    *'"name":"pid"'* | *'"name":"get_product"'*) text "$id" "$$" ;;
    *'"name":"crash"'*) exit 1 ;;
    *'"name":"silent"'*) ;;
    *'"name":"spawn"'*) sleep 1000 & text "$id" "$!" ;;
    *'"name":"progress"'*)
      token=$(printf '%s' "$line" | sed -n 's/.*"progressToken":\([^,}]*\).*/\1/p')
      printf '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%s,"progress":1}}\n' "$token"
      text "$id" done ;;
    *'"name":"hold"'*) held=$id ;;
    *'"name":"release"'*) text "$id" second; text "$held" first ;;
    *'"name":"flood"'*) head -c 100000 /dev/zero | tr '\0' x; sleep 1000 ;;
    *'"name":"noise"'*) echo "a line that is no message"; text "$id" quiet ;;
    *'"name":"ask"'*) printf '{"id":"q","jsonrpc":"2.0","method":"roots/list"}\n'; held=$id ;;
    *'"id":"q"'*) case "$line" in *error*) text "$held" refused ;; *) text "$held" answered ;; esac ;;
    *'"method":"server/discover"'*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"unknown"}}\n' "$id" ;;
    *'"id":'*) printf '{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"unknown"}}\n' "$id" ;;
  esac
done
