// The page: signs in, lists the notes, follows their changes, and chats. All text of people is set as text, never as HTML.

const find = (selector, within = document) => within.querySelector(selector);
const [welcome, board, cards, editor, edit, search] =
    ['#welcome', '#board', '#cards', '#editor', '#edit', '#search'].map((id) => find(id));
let user; // the name of who is signed in
let changes; // the events of the notes
let socket; // the chat

/** Asks the API. An error has the detail of its problem, and the field in front of it if there is one. */
async function api(method, path, body) {
    const isJson = body && !(body instanceof FormData);
    const reply = await fetch(`/api${path}`, {
        method,
        headers: { accept: 'application/json', ...(isJson && { 'content-type': 'application/json' }) },
        body: isJson ? JSON.stringify(body) : body,
    });
    if (reply.ok) return reply.status === 204 ? undefined : reply.json();
    const problem = await reply.json().catch(() => ({ title: reply.statusText }));
    if (problem.detail === 'sign in first' && user) signedOut();
    throw new Error(problem.detail ?? problem.title);
}

/** Runs what a form does, and shows its error in the form: beside the field that it names, else at the end. */
async function attempt(form, action) {
    const button = find('.primary', form), alert = find('.error', form);
    for (const field of form.elements) field.removeAttribute('aria-invalid');
    alert.textContent = '';
    button.disabled = true;
    try {
        await action();
    } catch ({ message }) {
        const [, name, text] = message.match(/^(\w+): (.*)$/s) ?? [];
        const field = form.elements[name];
        alert.textContent = field ? `${field.labels[0].firstChild.data.trim()}: ${text}.` : `${message}.`;
        field?.setAttribute('aria-invalid', 'true');
        field?.focus();
    } finally {
        button.disabled = false;
    }
}

// Accounts

function signedIn({ name }) {
    user = name;
    find('#user').textContent = name;
    welcome.hidden = true;
    board.hidden = false;
    follow();
    chat();
}

function signedOut() {
    user = undefined;
    changes?.close();
    socket?.close();
    editor.close();
    cards.replaceChildren();
    find('#lines').replaceChildren();
    board.hidden = true;
    welcome.hidden = false;
    find('input', welcome).focus();
}

find('#sign-in').onsubmit = (event) => {
    event.preventDefault();
    const form = event.target, { name, password } = form.elements;
    attempt(form, async () => {
        signedIn(await api('POST', '/session', { name: name.value, password: password.value }));
        form.reset();
        find('#new').focus();
    });
};
find('#sign-out').onclick = () => api('DELETE', '/session').then(signedOut);

// Notes

const cardOf = (id) => find(`#note-${id}`);

/** Shows a note in its card, which is made if there is none, in front of the others. */
function show(note, isFresh) {
    let card = cardOf(note.id);
    if (!card) {
        card = find('#card').content.firstElementChild.cloneNode(true);
        card.id = `note-${note.id}`;
        find('button', card).onclick = () => open(card.note);
    }
    if (isFresh) {
        if (cards.firstElementChild !== card) cards.prepend(card);
        card.classList.remove('fresh');
        void card.offsetWidth; // so that the animation begins anew
        card.classList.add('fresh');
    } else {
        cards.append(card);
    }
    card.note = note;
    find('h2', card).textContent = note.title;
    find('.text', card).textContent = note.text;
    find('.author', card).textContent = note.author;
    find('.initial', card).textContent = [...note.author][0].toUpperCase();
    find('button', card).setAttribute('aria-label', `Edit ${note.title}`);
    const picture = find('.picture', card);
    picture.hidden = !note.picture;
    if (note.picture) picture.src = note.picture.address;
    tellTime(card);
    tellEmpty();
}

function tellEmpty() {
    const empty = find('#empty');
    empty.hidden = cards.children.length > 0;
    empty.textContent = search.value ? `No note has “${search.value}”.` : 'No notes yet. Write the first one.';
}

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' });
function tellTime(card) {
    const time = find('time', card), then = new Date(card.note.changed), minutes = Math.round((Date.now() - then) / 60_000);
    time.dateTime = then.toISOString();
    time.title = then.toLocaleString();
    time.textContent = minutes < 1 ? 'now' : minutes < 60 ? relative.format(-minutes, 'minute')
        : minutes < 1440 ? relative.format(-Math.round(minutes / 60), 'hour') : then.toLocaleDateString();
}
setInterval(() => [...cards.children].forEach(tellTime), 30_000);

async function list() {
    const wanted = search.value;
    const notes = await api('GET', `/notes?search=${encodeURIComponent(wanted)}`);
    if (wanted !== search.value) return; // a later answer counts
    const ids = new Set(notes.map((note) => `note-${note.id}`));
    for (const card of [...cards.children]) if (!ids.has(card.id)) card.remove();
    for (const note of notes) show(note, false);
    tellEmpty();
}
search.oninput = () => list().catch(() => {});

/** Follows the changes of all pages. When the stream opens, also after a break, the list is read: so no change is missed. */
function follow() {
    const state = find('#state');
    changes = new EventSource('/api/events');
    changes.onopen = () => {
        state.textContent = 'live';
        state.className = 'live';
        list().catch(() => {});
    };
    changes.onerror = () => {
        state.textContent = 'connecting';
        state.className = '';
        // The server has refused the stream, or it cannot be reached; `api` finds out which.
        if (changes.readyState === EventSource.CLOSED && user) {
            setTimeout(() => api('GET', '/session').then(follow, () => user && follow()), 2000);
        }
    };
    changes.addEventListener('saved', ({ data }) => {
        const note = JSON.parse(data), isNew = !cardOf(note.id);
        if (search.value) return list().catch(() => {});
        show(note, true);
        if (isNew && note.author !== user) tell(`${note.author} wrote “${note.title}”`);
    });
    changes.addEventListener('removed', ({ data }) => {
        cardOf(JSON.parse(data))?.remove();
        tellEmpty();
    });
}

let toldUntil;
function tell(text) {
    clearTimeout(toldUntil);
    find('#news').textContent = text;
    toldUntil = setTimeout(() => (find('#news').textContent = ''), 5000);
}

// The editor

let edited; // the note in the editor, or nothing if it is a new one

function open(note) {
    edited = note;
    edit.reset();
    find('.error', edit).textContent = '';
    find('#editor-title').textContent = note ? 'Edit note' : 'New note';
    edit.elements.title.value = note?.title ?? '';
    edit.elements.text.value = note?.text ?? '';
    find('#delete').hidden = !note;
    find('#delete').textContent = 'Delete';
    editor.showModal();
}
find('#new').onclick = () => open();
find('#cancel').onclick = () => editor.close();
editor.onclose = () => user && (find('button', cardOf(edited?.id) ?? undefined) ?? find('#new')).focus();

edit.onsubmit = (event) => {
    event.preventDefault();
    const { title, text, picture } = edit.elements;
    attempt(edit, async () => {
        const draft = { title: title.value, text: text.value };
        edited = edited ? await api('PUT', `/notes/${edited.id}`, draft) : await api('POST', '/notes', draft);
        if (picture.files[0]) {
            const form = new FormData();
            form.append('picture', await shrunk(picture.files[0]));
            await api('PUT', `/notes/${edited.id}/picture`, form);
        }
        editor.close();
    });
};
edit.onkeydown = ({ key, ctrlKey, metaKey }) => {
    if (key === 'Enter' && (ctrlKey || metaKey)) edit.requestSubmit();
};
find('#delete').onclick = ({ target }) => {
    if (target.textContent === 'Delete') return void (target.textContent = 'Really delete?');
    attempt(edit, async () => {
        await api('DELETE', `/notes/${edited.id}`);
        editor.close();
    });
};

/** A large photo in at most 1600 pixels. What the browser cannot read is left to the server to refuse. */
async function shrunk(file) {
    if (file.size < 500_000) return file;
    try {
        const bitmap = await createImageBitmap(file), scale = Math.min(1, 1600 / Math.max(bitmap.width, bitmap.height));
        const canvas = Object.assign(document.createElement('canvas'), { width: bitmap.width * scale, height: bitmap.height * scale });
        canvas.getContext('2d').drawImage(bitmap, 0, 0, canvas.width, canvas.height);
        return await new Promise((done) => canvas.toBlob(done, 'image/jpeg', 0.85));
    } catch {
        return file;
    }
}

// The chat

function chat() {
    const lines = find('#lines'), unread = find('#unread'), details = find('#chat');
    socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/api/chat`);
    socket.onmessage = ({ data }) => {
        const { name, text } = JSON.parse(data);
        const line = document.createElement('li'), who = document.createElement('b');
        who.textContent = name;
        line.append(who, ` ${text}`);
        line.classList.toggle('mine', name === user);
        lines.append(line);
        if (lines.children.length > 200) lines.firstElementChild.remove();
        lines.scrollTop = lines.scrollHeight;
        if (!details.open) {
            unread.textContent = Number(unread.textContent) + 1;
            unread.hidden = false;
        }
    };
    socket.onclose = () => user && setTimeout(() => user && chat(), 1000);
}
find('#chat').ontoggle = ({ target }) => {
    if (!target.open) return;
    find('#unread').textContent = '';
    find('#unread').hidden = true;
};
find('#say').onsubmit = (event) => {
    event.preventDefault();
    const { line } = event.target.elements;
    if (socket.readyState !== WebSocket.OPEN) return tell('The chat is connecting, try again.');
    socket.send(line.value);
    line.value = '';
};

// The keyboard

document.onkeydown = (event) => {
    const isTyping = event.target.closest('input, textarea, dialog') || event.ctrlKey || event.metaKey || event.altKey;
    const action = { n: () => open(), '/': () => search.focus() }[event.key];
    if (!user || isTyping || !action) return;
    event.preventDefault();
    action();
};

api('GET', '/session').then(signedIn, signedOut);
