// What the page says, in English and Spanish.

const WORDING = {
  language: ["Español", "English"],
  read: ["Read", "Leer"],
  one: ["One step", "Un paso"],
  influence: ["Influence", "Influencia"],
  cells: ["Cells", "Celdas"],
  write: ["Write", "Escribir"],
  stop: ["Stop", "Parar"],
  text: ["Text: type or paste your own", "Texto: escriba o pegue el suyo"],
  series: ["Series: one row a line, columns separated by commas", "Serie: una fila por línea, columnas separadas por comas"],
  layer: ["layer", "capa"],
  unit: ["unit", "unidad"],
  step: ["step", "paso"],
  order: ["units", "unidades"],
  varying: ["most varying first", "primero las que más varían"],
  similar: ["similar ones side by side", "las parecidas juntas"],
  number: ["by number", "por número"],
  temperature: ["temperature", "temperatura"],
  seed: ["seed", "semilla"],
  length: ["symbols", "símbolos"],
  pin: ["hold this prediction while stepping back", "mantener esta predicción al retroceder"],
  readHelp: [
    "Each column is a step, each row a unit. Click or use the arrow keys: left and right for the step, up and down for the unit.",
    "Cada columna es un paso, cada fila una unidad. Pulse, o use las flechas: izquierda y derecha el paso, arriba y abajo la unidad."],
  oneHelp: [
    "One unit in one step, with its numbers. Page up and page down walk through the parts, forward and back; the arrow keys change step and unit.",
    "Una unidad en un paso, con sus números. Con avpág y repág se recorren las partes, hacia delante y hacia atrás; las flechas cambian el paso y la unidad."],
  influenceHelp: [
    "How much each step matters for one prediction: the gradient of its log probability times the input. Orange raises it, blue lowers it.",
    "Cuánto importa cada paso para una predicción: el gradiente de su logaritmo de la probabilidad por la entrada. El naranja la sube, el azul la baja."],
  byLag: ["By distance", "Por distancia"],
  byLagHelp: [
    "The mean size of that influence by how many steps lie between, over several predictions: where the curve has fallen, the gradient has died.",
    "El tamaño medio de esa influencia según los pasos que hay en medio, sobre varias predicciones: donde la curva ha caído, el gradiente ha muerto."],
  cellsHelp: [
    "Units that tell a feature apart, by rank correlation with their state. Choose one to colour the text by it.",
    "Unidades que distinguen un rasgo, por correlación de rangos con su estado. Elija una para colorear el texto con ella."],
  noCells: ["No features were found when this page was written.", "No se encontraron rasgos al escribir esta página."],
  writeHelp: [
    "The network goes on after the text above; every gate is shown while it writes. Top-k 0 means all symbols.",
    "La red continúa el texto de arriba; cada puerta se ve mientras escribe. Top-k 0 significa todos los símbolos."],
  leftOut: ["not in the vocabulary:", "no están en el vocabulario:"],
  cut: ["only the first symbols are read:", "solo se leen los primeros símbolos:"],
  notNumbers: ["not a row of numbers, line", "no es una fila de números, línea"],
  empty: ["Type at least one symbol.", "Escriba al menos un símbolo."],
  next: ["what comes next after step", "lo que viene después del paso"],
  answer: ["answer after step", "respuesta después del paso"],
  came: ["came", "vino"],
  surprise: ["surprise of each symbol, bits", "sorpresa de cada símbolo, bits"],
  answers: ["answers as the sequence goes on", "respuestas a medida que avanza la secuencia"],
  forecast: ["line: the series; dots: its forecast", "línea: la serie; puntos: su pronóstico"],
  i: ["i: input gate", "i: puerta de entrada"],
  f: ["f: forget gate", "f: puerta de olvido"],
  g: ["g: candidate", "g: candidato"],
  o: ["o: output gate", "o: puerta de salida"],
  c: ["c: cell state", "c: estado de la celda"],
  h: ["h: output", "h: salida"],
  r: ["r: reset gate", "r: puerta de reinicio"],
  z: ["z: update gate", "z: puerta de actualización"],
  n: ["n: candidate", "n: candidato"],
  of: ["on step", "sobre el paso"],
  forget: ["forget: how much of the old cell state is kept", "olvido: cuánto queda del estado anterior"],
  input: ["input: what may be written, and how much of it", "entrada: qué se escribe, y cuánto"],
  cell: ["cell: the old state kept, the new one added", "celda: se conserva lo viejo y se suma lo nuevo"],
  output: ["output: how much of the state is shown", "salida: cuánto del estado se muestra"],
  backOutput: ["back: what this prediction asks of the output", "atrás: lo que esta predicción pide a la salida"],
  backCell: ["back: the gradient reaches the cell state", "atrás: el gradiente llega al estado"],
  backInput: ["back: what it asks of the input gate and candidate", "atrás: lo que pide a la puerta de entrada y al candidato"],
  backForget: ["back: the forget gate, and on to the step before", "atrás: la puerta de olvido, y sigue al paso anterior"],
  reset: ["reset: how much of the past the candidate sees", "reinicio: cuánto del pasado ve el candidato"],
  candidate: ["candidate: what may be written", "candidato: lo que se puede escribir"],
  update: ["update: a mixture of old and new", "actualización: mezcla de lo viejo y lo nuevo"],
  backUpdate: ["back: the gradient of h is divided between old and new", "atrás: el gradiente de h se reparte entre lo viejo y lo nuevo"],
  backCandidate: ["back: through the candidate to the reset gate", "atrás: por el candidato a la puerta de reinicio"],
  recurrence: ["the only sum, and its tanh", "la única suma, y su tanh"],
  backRecurrence: ["back: every step multiplies the gradient by the slope and by Wh", "atrás: cada paso multiplica el gradiente por la pendiente y por Wh"],
};

const say = (key) => (WORDING[key] ? WORDING[key][app.language === "es" ? 1 : 0] : key);

// A symbol as it can be seen: no spaces, line breaks or control characters.
function visible(symbol) {
  const shown = { " ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍" };
  return Array.from(symbol, (x) => shown[x] || (/[\p{C}\p{Z}]/u.test(x) ? `U+${x.codePointAt(0).toString(16)}` : x)).join("");
}
